"""Sources of every kind give the same rows, and a percentage reads no more than it needs."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from scripts.dataset.__main__ import command_line
from scripts.dataset.check_files import check_files
from scripts.dataset.checks import Finding
from scripts.dataset.layout import Mapper
from scripts.dataset.prepare import find_source, prepare
from scripts.dataset.read_rows import Chunk, _lines_of
from scripts.dataset.settings import Layout, from_values
from scripts.dataset.source import local, split_of
from scripts.dataset.text_formats import csv_rows
from scripts.errors import UNREACHABLE, UserError

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"train": None, "validation": 0.1, "test": 0.1}


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    out = []
    for at in range(start, start + count):
        question = f"What is the number after {at}, written out in full? Ça va?"
        out.append({
            "prompt": question, "prompt_id": f"id {at}",
            "messages": [{"content": question, "role": "user"}, {"content": f'It is "{at + 1}".\n', "role": "assistant"}],
        })  # fmt: skip
    return out


def run(
    source: object, folder: Path, fallback: str | None = None, said: list[str] | None = None, **dataset: Any
) -> dict[str, Any]:
    settings = from_values({"dataset": {"source": str(source), "splits": PLAIN, **dataset}})
    say = said.append if said is not None else lambda line: None
    code, manifest, _ = prepare(settings, folder, fallback, say=say, stream=None)
    assert code == 0, [each for each in manifest["checks"] if each["status"] == "fail"]
    return manifest


def ids(folder: Path, *parts: str) -> set[int]:
    lines = [
        line for part in parts or ("train", "validation", "test") for line in (folder / f"{part}.jsonl").open("rb")
    ]
    return {int(re.search(r"after (\d+)", json.loads(line)["messages"][-2]["content"])[1]) for line in lines}


def parquet(path: Path, some: list[dict[str, Any]], group: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    message = pa.struct([("content", pa.string()), ("role", pa.string())])
    schema = pa.schema([("prompt", pa.string()), ("prompt_id", pa.string()), ("messages", pa.list_(message))])
    pq.write_table(pa.Table.from_pylist(some, schema=schema), path, row_group_size=group)
    return path


def as_jsonl(path: Path, some: list[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n\n" for row in some))


def as_gzip(path: Path, some: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(row).encode() for row in some)))


def as_zstd(path: Path, some: list[dict[str, Any]]) -> None:
    text = [json.dumps(row, ensure_ascii=False).encode() + b"\r\n" for row in some]
    compress = zstandard.ZstdCompressor().compress
    path.write_bytes(compress(b"".join(text[:50])) + compress(b"".join(text[50:])))


def as_list(path: Path, some: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(some, indent=1), encoding="utf-8-sig")


def as_objects(path: Path, some: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps(row, indent=1) for row in some))


def as_csv(path: Path, some: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(["prompt_id", "messages"])
        writer.writerows([row["prompt_id"], json.dumps(row["messages"])] for row in some)


def as_prompts(path: Path, some: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["instruction", "output"])
        writer.writeheader()
        writer.writerows({"instruction": row["prompt"], "output": row["messages"][1]["content"]} for row in some)


def as_sharegpt(path: Path, some: list[dict[str, Any]]) -> None:
    names = {"user": "human", "assistant": "gpt"}
    path.write_text("\n".join(json.dumps({"conversations": [
        {"from": names[each["role"]], "value": each["content"]} for each in row["messages"]]}) for row in some))  # fmt: skip


def as_parquet_sharegpt(path: Path, some: list[dict[str, Any]]) -> None:
    names = {"user": "human", "assistant": "gpt"}
    pq.write_table(pa.Table.from_pylist([{"source": "x", "conversations": [
        {"from": names[each["role"]], "value": each["content"]} for each in row["messages"]]} for row in some]), path)  # fmt: skip


def as_parquet_with_nulls(path: Path, some: list[dict[str, Any]]) -> None:
    spread = [{"messages": [{**each, "name": None} for each in row["messages"]]} for row in some]
    spread[0]["messages"][0]["name"] = "Ada"
    pq.write_table(pa.Table.from_pylist(spread), path, row_group_size=30)


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("a.jsonl", as_jsonl), ("a.jsonl.gz", as_gzip), ("a.jsonl.zst", as_zstd), ("a.json", as_list), ("b.json", as_objects),
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
    program = (
        "import sys; from pathlib import Path; from scripts.dataset.prepare import prepare\n"
        "from scripts.dataset.settings import from_values\n"
        f"values = {{'dataset': {{'source': {str(parquet(tmp_path / 'a.parquet', rows(400), group=100))!r}, 'percent': 50,"
        f" 'splits': {PLAIN!r}}}}}\n"
        f"prepare(from_values(values), Path({str(tmp_path / 'out')!r}), stream=None)\n"
        "print({'pandas', 'datasets', 'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_columns_and_speakers_can_be_mapped(tmp_path: Path) -> None:
    lines = [{"intro": "Be brief.", "dialogue": [{"who": "guest", "said": f"Question after {at}?"}, {"who": "host", "said": "Yes."}]}
             for at in range(60)]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    layout = {"format": "messages", "messages": "dialogue", "role": "who", "content": "said", "system": "intro",
              "roles": {"guest": "user", "host": "assistant"}}  # fmt: skip
    run(tmp_path / "a.jsonl", tmp_path / "out", layout=layout)
    row = json.loads((tmp_path / "out" / "train.jsonl").open("rb").readline())
    assert [each["role"] for each in row["messages"]] == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    ("label", "split"),
    [
        ("data/train_sft-00000-of-00003-a3ecf92756993583.parquet", "train_sft"), ("train_sft.jsonl.gz", "train_sft"),
        ("test_gen-00000-of-00001.parquet", "test_gen"), ("train/0000.parquet", "train"), ("default/train/part-3.jsonl", "train"),
        ("validation/data-00001-of-00009.parquet", "validation"),
    ],
)  # fmt: skip
def test_splits_are_told_by_file_names(label: str, split: str) -> None:
    assert split_of(label) == split


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "data" / "train_sft-00000-of-00001.parquet", rows(50))
    with pytest.raises(UserError, match=r"no split 'train_sfd' \(did you mean 'train_sft'\?\)"):
        run(tmp_path / "set", tmp_path / "out", splits={"train": "train_sfd", "validation": 0.1, "test": 0.1})


def test_a_plain_file_is_cut_where_the_values_name_splits_that_it_has_not(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "mine.jsonl", rows(400))
    said: list[str] = []
    splits = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
    manifest = run(tmp_path / "mine.jsonl", tmp_path / "out", said=said, splits=splits)
    assert (
        manifest["files"]["test"]["rows"] > 5
        and manifest["files"]["heldout"]["sha256"] == manifest["files"]["test"]["sha256"]
    )
    assert any("test takes 5 % of train" in line for line in said)


def test_rows_keep_their_side_when_the_data_grows(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(300))
    as_jsonl(tmp_path / "b.jsonl", rows(700, 300)[::-1] + rows(300))
    run(tmp_path / "a.jsonl", tmp_path / "a")
    run(tmp_path / "b.jsonl", tmp_path / "b")
    for part in ("train", "validation", "test"):
        assert ids(tmp_path / "a", part) == {each for each in ids(tmp_path / "b", part) if each < 300}
        assert ids(tmp_path / "a", part) or part != "train"


def test_five_percent_of_parquet_reads_the_row_groups_it_needs(tmp_path: Path) -> None:
    for at in range(3):
        parquet(tmp_path / "set" / f"train-0000{at}-of-00003.parquet", rows(2000, at * 2000), group=100)
    manifest = run(tmp_path / "set", tmp_path / "out", percent=5, splits=PLAIN | {"train": "train"})
    read = manifest["read"]["train"]
    assert read["in"] == 300 and read["how"].startswith("300 rows from 3 of 60 row groups")
    taken = ids(tmp_path / "out")
    again = run(tmp_path / "set", tmp_path / "again", percent=5, splits=PLAIN | {"train": "train"})
    assert again["version"] == manifest["version"]
    run(tmp_path / "set", tmp_path / "other", percent=5, seed=7, splits=PLAIN | {"train": "train"})
    run(tmp_path / "set", tmp_path / "head", percent=5, sample="head", splits=PLAIN | {"train": "train"})
    assert ids(tmp_path / "other") != taken and taken != set(range(300))
    assert ids(tmp_path / "head") == set(range(300))


def test_one_large_row_group_is_sampled_row_by_row(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(2000), group=5000)
    run(tmp_path / "a.parquet", tmp_path / "out", percent=10)
    taken = ids(tmp_path / "out")
    assert len(taken) == 200 and max(taken) - min(taken) > 1500


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_percent_of_json_lines(tmp_path: Path, name: str) -> None:
    (as_gzip if name.endswith("gz") else as_jsonl)(tmp_path / name, rows(3000))
    run(tmp_path / name, tmp_path / "out", percent=10)
    taken = ids(tmp_path / "out")
    assert 240 < len(taken) < 360 and max(taken) > 2500
    run(tmp_path / name, tmp_path / "head", percent=10, sample="head")
    assert max(ids(tmp_path / "head")) < 3000 and 0 in ids(tmp_path / "head")


def test_blocks_of_a_large_file_name_the_right_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.dataset import read_plan

    monkeypatch.setattr(read_plan, "SMALL", 0)
    some = rows(20_000)
    for row in some[::97]:
        row["messages"][1]["content"] = ""
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(json.dumps(row).encode() for row in some))
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out", percent=30)
    found = next(each for each in manifest["checks"] if each["name"] == "empty_content")
    assert found["count"] > 10 and "blocks" in manifest["read"]["a"]["how"]
    assert all((int(each["row"].removeprefix("line ")) - 1) % 97 == 0 for each in found["examples"])
    taken = ids(tmp_path / "out")
    assert manifest["read"]["a"]["in"] == len(taken) + found["count"] and 4000 < len(taken) < 8000


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a data set needs: its file list at a commit, and byte ranges of its files."""

    root: Path
    served: list[tuple[str, int]]
    commit = "a" * 40

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/some/chat/revision/"):
            files = [{"rfilename": each.relative_to(self.root).as_posix(), "size": each.stat().st_size}
                     for each in sorted(self.root.rglob("*")) if each.is_file()]  # fmt: skip
            return self.reply(200, json.dumps({"id": "some/chat", "sha": self.commit, "siblings": files}).encode())
        prefix = f"/datasets/some/chat/resolve/{self.commit}/"
        file = self.root / path.removeprefix(prefix)
        if not path.startswith(prefix) or not file.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["range"]).groups())
        data = file.read_bytes()[first : last + 1]
        self.served.append((file.name, len(data)))
        return self.reply(206, data)

    def reply(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on localhost with the data set some/chat."""
    from huggingface_hub import constants

    Hub.root, Hub.served = tmp_path / "hub", []
    generator = random.Random(1)
    for name, count, start in (("train_sft-00000-of-00002", 2000, 0), ("train_sft-00001-of-00002", 2000, 2000),
                               ("test_sft-00000-of-00001", 1000, 9000)):  # fmt: skip
        some = rows(count, start)
        for row in some:
            row["messages"][1]["content"] += generator.randbytes(800).hex()
        parquet(Hub.root / "data" / f"{name}.parquet", some, group=100)
    (Hub.root / "README.md").write_text("# chat")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield Hub
    server.shutdown()
    server.server_close()


def test_the_hub_is_asked_for_the_row_groups_of_a_percentage_only(hub: type[Hub], tmp_path: Path) -> None:
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft"}
    manifest = run("some/chat", tmp_path / "out", percent=5, splits=splits, revision="main")
    assert manifest["source"]["commit"] == hub.commit and manifest["fallback"] is None
    assert manifest["read"]["train_sft"]["in"] == 200 and manifest["read"]["test_sft"]["in"] == 50
    whole = sum(each.stat().st_size for each in hub.root.rglob("*.parquet"))
    footers = 3 * 64 * 1024  # the last 64 KB of every file
    assert sum(size for _, size in hub.served) < 0.07 * whole + footers < 0.2 * whole
    served = len(hub.served)
    said: list[str] = []
    run("some/chat", tmp_path / "out", percent=5, splits=splits, revision="main", said=said)
    assert len(hub.served) == served and said[0].startswith("nothing to do")


def test_a_hub_that_is_gone_keeps_what_was_prepared_from_it(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft"}
    before = run("some/chat", tmp_path / "out", percent=5, splits=splits)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said: list[str] = []
    after = run("some/chat", tmp_path / "out", percent=5, splits=splits, said=said, fallback=str(tmp_path))
    assert after["version"] == before["version"] and "kept as it was prepared from commit" in said[0]


def test_blocks_of_json_lines_on_the_hub(hub: type[Hub], tmp_path: Path) -> None:
    for each in hub.root.rglob("*.parquet"):
        each.unlink()
    some = rows(20_000)
    some[0]["messages"][1]["content"] = ""
    as_jsonl(hub.root / "train.jsonl", some)
    manifest = run("some/chat", tmp_path / "out", percent=20, splits=PLAIN | {"train": "train"})
    size = (hub.root / "train.jsonl").stat().st_size
    assert 3000 < manifest["read"]["train"]["in"] < 5000
    assert sum(count for _, count in hub.served) < 0.5 * size  # a block's last line is read with what follows it


def test_a_set_that_is_not_on_the_hub_is_said_so(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set 'some/other', or it is private"):
        run("some/other", tmp_path / "out")


def test_what_the_datasets_library_saved_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    saved = datasets.DatasetDict(
        {"train": datasets.Dataset.from_list(rows(90)), "test": datasets.Dataset.from_list(rows(20, 90))}
    )
    saved.save_to_disk(tmp_path / "saved")
    manifest = run(tmp_path / "saved", tmp_path / "out", splits={"train": "train", "validation": 0.1, "test": "test"})
    assert ids(tmp_path / "out") == set(range(110)) and manifest["files"]["test"]["rows"] == 20


def test_an_unreachable_hub_fails_fast_or_takes_the_fallback_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    begun = time.monotonic()
    with pytest.raises(UserError, match=r"cannot be reached .*--fallback DIR") as caught:
        run("some/chat", tmp_path / "out")
    assert caught.value.code == UNREACHABLE and time.monotonic() - begun < 5
    demo = tmp_path / "demo"
    demo.mkdir()
    as_jsonl(demo / "train_sft.jsonl", rows(60))
    as_jsonl(demo / "test_sft.jsonl", rows(20, 100))
    said: list[str] = []
    manifest = run("some/chat", tmp_path / "out", fallback=str(demo), said=said, percent=5,
                   splits={"train": "train_x", "validation": 0.1, "test": "test_x", "heldout": "gen"})  # fmt: skip
    assert manifest["fallback"]["asked"] == "some/chat" and "takes its place" in said[0]
    assert manifest["files"]["test"]["rows"] == 20  # all of it: 5 % of a demonstration is nothing
    assert "Not the data that was asked for" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_silent_hub_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    from scripts.dataset import hub as module

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: time.sleep(5))
    with pytest.raises(UserError, match=r"no answer in 0\.2 s"):
        run("some/chat", tmp_path / "out")


def test_what_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    for source, words in (
        (tmp_path / "no.jsonl", "no such file"),
        (tmp_path / "*.jsonl", "no file matches"),
        (tmp_path, "no data file"),
    ):
        with pytest.raises(UserError, match=words):
            find_source(from_values({"dataset": {"source": str(source)}}))
    (tmp_path / "a.jsonl").write_bytes("text".encode("utf-16"))
    with pytest.raises(UserError, match="UTF-16"):
        run(tmp_path / "a.jsonl", tmp_path / "out")


def test_a_glob_takes_the_files_that_match(tmp_path: Path) -> None:
    for at in range(3):
        as_jsonl(tmp_path / f"part-{at}.jsonl", rows(50, at * 50))
    as_jsonl(tmp_path / "other.jsonl", rows(50, 1000))
    assert sum(map(len, local(str(tmp_path / "part-*.jsonl")).splits.values())) == 3
    run(tmp_path / "part-*.jsonl", tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(150))


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
    for cut, lost in ((None, False), (-5, True), (-len(frames[2]), False)):
        path.write_bytes(b"".join(frames)[:cut])
        found = [row for part, _, _ in _lines_of(local(str(path)).splits["a"][0]) for row in part]
        whole = 3 if cut is None else 2
        assert [json.loads(row) for row in found[:whole]] == rows(3)[:whole]
        assert [isinstance(row, Finding) for row in found[whole:]] == [True] * lost


def test_csv_with_semicolons_is_read_and_two_columns_of_a_name_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt;response\n"a; b, c";d\n', encoding="utf-8")
    (found, _, _), *_ = csv_rows(local(str(path)).splits["a"][0], 2**20)
    assert found == [{"prompt": "a; b, c", "response": "d"}]
    path.write_text("prompt,prompt,response\na,b,c\n", encoding="utf-8")
    with pytest.raises(UserError, match="two columns are named 'prompt'"):
        list(csv_rows(local(str(path)).splits["a"][0], 2**20))


def test_another_source_brings_its_own_splits(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, some in (("train", rows(40)), ("validation", rows(60)[40:]), ("test", rows(80)[60:])):
        as_jsonl(folder / f"{name}.jsonl", some)
    splits = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
    settings = from_values({"dataset": {"source": str(folder), "splits": splits}})
    with pytest.raises(UserError, match="did you mean 'train'"):
        prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    said: list[str] = []
    code, manifest, _ = prepare(settings, tmp_path / "out", say=said.append, stream=None, foreign=True)
    assert code == 0
    assert manifest["splits"] == {"train": "train", "validation": "validation", "test": "test", "heldout": None}
    assert [manifest["files"][part]["rows"] for part in ("train", "validation", "test")] == [40, 20, 20]
    assert any("own split 'validation'" in line for line in said)


def test_the_report_of_a_damaged_manifest_is_a_sentence(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"format": 2}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(UserError, match=r"manifest.json: damaged; run `make data ENV=demo`"):
            command_line(["report", "--env", "demo", "--folder", str(tmp_path)])


def test_one_row_is_too_few_to_train_on_not_to_cut(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(1))
    settings = from_values({"dataset": {"source": str(tmp_path / "a.jsonl")}})
    code, manifest, _ = prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    assert code == 1
    assert [each["name"] for each in manifest["checks"] if each["status"] == "fail"] == ["few_rows"]


def test_a_name_that_begins_like_a_test_is_still_checked_for_too_few_rows(tmp_path: Path) -> None:
    for name in ("developer", "valuable", "testimonials", "dev", "test_v2"):
        as_jsonl(tmp_path / f"{name}.jsonl", rows(3))
        verdict = check_files(from_values({"dataset": {}}), [str(tmp_path / f"{name}.jsonl")], None)
        few = next(each["count"] for each in verdict["checks"] if each["name"] == "few_rows")
        assert few == (name not in ("dev", "test_v2"))
