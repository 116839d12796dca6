"""Every format and layout gives the same conversations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from scripts.dataset.layouts.mapper import Mapper
from scripts.dataset.read_rows import Chunk
from scripts.dataset.settings import Layout
from scripts.dataset.source import local
from scripts.dataset.text_formats import csv_rows, lines
from scripts.errors import UserError
from tests.dataset.samples import (
    PLAIN,
    as_csv,
    as_gzip,
    as_jsonl,
    as_list,
    as_objects,
    as_parquet_sharegpt,
    as_parquet_with_nulls,
    as_prompts,
    as_sharegpt,
    as_zstd,
    ids,
    parquet,
    rows,
    run,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("a.jsonl", as_jsonl), ("a.jsonl.gz", as_gzip), ("a.jsonl.zst", as_zstd), ("a.json", as_list),
        ("b.json", as_objects),
        ("c.json", as_jsonl), ("a.csv", as_csv), ("a.tsv", as_csv), ("b.csv", as_prompts), ("d.jsonl", as_sharegpt),
        ("a.parquet", parquet), ("b.parquet", as_parquet_sharegpt), ("c.parquet", as_parquet_with_nulls),
    ],
)  # fmt: skip
def test_every_format_and_layout_gives_the_same_conversations(tmp_path: Path, name: str, writer: Any) -> None:
    writer(tmp_path / name, rows(120))
    manifest = run(tmp_path / name, tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(120))
    assert all(not each["count"] for each in manifest["checks"])
    line = json.loads((tmp_path / "out" / "train.jsonl").open("rb").readline())
    assert [set(each) - {"name"} for each in line["messages"]] == [{"role", "content"}] * 2
    assert line["messages"][1]["content"].endswith('".\n')


def test_json_lines_and_parquet_give_the_same_bytes(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(300))
    parquet(tmp_path / "a.parquet", rows(300), group=70)
    one, two = run(tmp_path / "a.jsonl", tmp_path / "1"), run(tmp_path / "a.parquet", tmp_path / "2")
    assert one["version"] == two["version"] and one["files"]["train"]["sha256"] == two["files"]["train"]["sha256"]


def test_text_in_parquet_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows(100))
    texts = table["messages"].combine_chunks().values.field("content")
    data = bytearray(texts.buffers()[2])
    data[data.index(b"the number after 7,")] = 0xFF
    texts = pa.Array.from_buffers(pa.string(), len(texts), [None, texts.buffers()[1], pa.py_buffer(bytes(data))])
    column = table["messages"].combine_chunks()
    messages = pa.StructArray.from_arrays([texts, column.values.field("role")], ["content", "role"])
    pq.write_table(pa.table({"messages": pa.ListArray.from_arrays(column.offsets, messages)}), tmp_path / "a.parquet")
    manifest = run(tmp_path / "a.parquet", tmp_path / "out")
    found = next(each for each in manifest["checks"] if each["name"] == "encoding")
    assert found["count"] == 1 and found["examples"][0]["row"] == "row 8"
    assert ids(tmp_path / "out") == set(range(100)) - {7}


def test_the_hot_path_imports_no_pandas_and_no_datasets(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(400), group=100)
    program = (
        "import sys; from pathlib import Path; from scripts.dataset.prepare import prepare\n"
        "from scripts.dataset.settings import from_values\n"
        f"values = {{'dataset': {{'source': {str(tmp_path / 'a.parquet')!r}, 'percent': 50,"
        f" 'splits': {PLAIN!r}}}}}\n"
        f"prepare(from_values(values), Path({str(tmp_path / 'out')!r}), stream=None)\n"
        "print({'pandas', 'datasets', 'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_columns_and_speakers_can_be_mapped(tmp_path: Path) -> None:
    lines = [{"intro": "Be brief.",
              "dialogue": [{"who": "guest", "said": f"Question after {at}?"}, {"who": "host", "said": "Yes."}]}
             for at in range(60)]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    layout = {"format": "messages", "messages": "dialogue", "role": "who", "content": "said", "system": "intro",
              "roles": {"guest": "user", "host": "assistant"}}  # fmt: skip
    run(tmp_path / "a.jsonl", tmp_path / "out", layout=layout)
    row = json.loads((tmp_path / "out" / "train.jsonl").open("rb").readline())
    assert [each["role"] for each in row["messages"]] == ["system", "user", "assistant"]


def test_what_the_datasets_library_saved_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    saved = datasets.DatasetDict(
        {"train": datasets.Dataset.from_list(rows(90)), "test": datasets.Dataset.from_list(rows(20, 90))}
    )
    saved.save_to_disk(tmp_path / "saved")
    manifest = run(tmp_path / "saved", tmp_path / "out", splits={"train": "train", "validation": 0.1, "test": "test"})
    assert ids(tmp_path / "out") == set(range(110)) and manifest["files"]["test"]["rows"] == 20


def mapped(settings: Layout, *items: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Returns the conversations of some rows."""
    mapper = Mapper(settings)
    return mapper.rows(Chunk(None, [json.dumps(item).encode() for item in items], 0)).messages


@pytest.mark.parametrize("layout", [Layout(), Layout(format="prompt_response")])
def test_alpaca_keeps_what_the_instruction_is_about(layout: Layout) -> None:
    plain, about = mapped(
        layout,
        {"instruction": "Greet.", "input": "", "output": "Hello."},
        {"instruction": "Translate.", "input": "chat", "output": "cat"},
    )
    assert plain[0]["content"] == "Greet."
    assert about == [{"role": "user", "content": "Translate.\n\nchat"}, {"role": "assistant", "content": "cat"}]


def test_a_speaker_is_known_in_any_case(tmp_path: Path) -> None:
    talk = [{"from": "Human", "value": "a"}, {"from": "GPT", "value": "b"}, {"from": "Narrator", "value": "c"}]
    pq.write_table(pa.Table.from_pylist([{"conversations": talk}]), tmp_path / "a.parquet")
    columns = Mapper(Layout()).rows(Chunk(None, pq.read_table(tmp_path / "a.parquet").to_batches()[0], 0))
    assert columns.plain
    for messages in (mapped(Layout(), {"conversations": talk})[0], columns.messages[0]):
        assert [each["role"] for each in messages] == ["user", "assistant", "Narrator"]


def test_a_zstd_file_of_several_frames_is_read_and_a_broken_one_is_named(tmp_path: Path) -> None:
    frames = [zstandard.compress(json.dumps(row).encode() + b"\n") for row in rows(3)]
    path = tmp_path / "a.jsonl.zst"
    for cut, whole in ((None, 3), (-len(frames[2]), 2)):
        path.write_bytes(b"".join(frames)[:cut])
        found = [row for part, _ in lines(local(str(path)).splits["a"][0], 2**20) for row in part]
        assert [json.loads(row) for row in found] == rows(3)[:whole]
    path.write_bytes(b"".join(frames)[:-5])
    with pytest.raises(UserError, match=r"a.jsonl.zst: the archive is cut off or damaged \(it ends within a member\)"):
        list(lines(local(str(path)).splits["a"][0], 2**20))


def test_csv_with_semicolons_is_read_and_two_columns_of_a_name_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt;response\n"a; b, c";d\n', encoding="utf-8")
    (found, _), *_ = csv_rows(local(str(path)).splits["a"][0], 2**20)
    assert found == [{"prompt": "a; b, c", "response": "d"}]
    path.write_text("prompt,prompt,response\na,b,c\n", encoding="utf-8")
    with pytest.raises(UserError, match="two columns are named 'prompt'"):
        list(csv_rows(local(str(path)).splits["a"][0], 2**20))
