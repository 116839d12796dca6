"""Rows, and the files that hold them in every format that is read."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from scripts.dataset.data_report import Plan
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values

PLAIN = {"train": None, "validation": 0.1, "test": 0.1}


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    out = []
    for at in range(start, start + count):
        question = f"What is the number after {at}, written out in full? Ça va?"
        out.append({
            "prompt": question, "prompt_id": f"id {at}",
            "messages": [
                {"content": question, "role": "user"}, {"content": f'It is "{at + 1}".\n', "role": "assistant"},
            ],
        })  # fmt: skip
    return out


def run(
    source: object,
    folder: Path,
    fallback: str | None = None,
    said: list[str] | None = None,
    plan: Plan | None = None,
    **dataset: Any,
) -> dict[str, Any]:
    settings = from_values({"dataset": {"source": str(source), "splits": PLAIN, **dataset}})
    say = said.append if said is not None else lambda line: None
    code, manifest, _ = prepare(settings, folder, fallback, say=say, stream=None, plan=plan)
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


def sharegpt(row: dict[str, Any]) -> list[dict[str, str]]:
    names = {"user": "human", "assistant": "gpt"}
    return [{"from": names[message["role"]], "value": message["content"]} for message in row["messages"]]


def as_sharegpt(path: Path, some: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps({"conversations": sharegpt(row)}) for row in some))


def as_parquet_sharegpt(path: Path, some: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist([{"source": "x", "conversations": sharegpt(row)} for row in some]), path)


def as_parquet_with_nulls(path: Path, some: list[dict[str, Any]]) -> None:
    spread = [{"messages": [{**each, "name": None} for each in row["messages"]]} for row in some]
    spread[0]["messages"][0]["name"] = "Ada"
    pq.write_table(pa.Table.from_pylist(spread), path, row_group_size=30)
