"""What `make bench-data` measures, each in a process of its own: this project's preparation, and others' same work.

`python -m tests.bench.data_tasks TASK FOLDER WORK`; the last line of its output is what it has to report.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from scripts.errors import main

MUTATED = 10_000
EXACT_ROWS = 2_000
MODEL = {"huggingface_id": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def datasets_only(source: Path, work: Path) -> dict[str, Any]:
    """`datasets`: load, write. Nothing is checked."""
    return {"rows": _loaded(source, work).to_json(str(work / "out.jsonl")) and 0}


def datasets_unique(source: Path, work: Path) -> dict[str, Any]:
    """`datasets`: load, drop exact duplicates, write."""
    import xxhash

    seen: set[bytes] = set()

    def are_new(batch: dict[str, list[Any]]) -> list[bool]:
        keys = [xxhash.xxh3_128_digest(repr(messages).encode()) for messages in batch["messages"]]
        return [not (key in seen or seen.add(key)) for key in keys]

    rows = _loaded(source, work).filter(are_new, batched=True)
    rows.to_json(str(work / "out.jsonl"))
    return {"rows": len(rows)}


def _loaded(source: Path, work: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    files = [str(path) for path in sorted(source.iterdir())]
    form = "json" if source.name == "jsonl" else "parquet"
    return datasets.load_dataset(form, data_files=files, split="train", cache_dir=str(work / "cache"))


def polars_unique(source: Path, work: Path) -> dict[str, Any]:
    """polars: load, drop exact duplicates, write."""
    import polars

    scan = polars.scan_ndjson if source.name == "jsonl" else polars.scan_parquet
    scan(sorted(source.iterdir())).unique(maintain_order=True).sink_ndjson(work / "out.jsonl")
    return {}


def duckdb_unique(source: Path, work: Path) -> dict[str, Any]:
    """duckdb: load, drop exact duplicates, write."""
    import duckdb

    reader = "read_ndjson" if source.name == "jsonl" else "read_parquet"
    duckdb.sql(f"copy (select distinct * from {reader}('{source}/*')) to '{work / 'out.jsonl'}' (format json)")
    return {}


def prepare(source: Path, work: Path) -> dict[str, Any]:
    """This project: load, check, drop duplicates and leaks, divide, write."""
    return _prepare(work, source=str(source))


def tokens(source: Path, work: Path) -> dict[str, Any]:
    """This project, with token lengths from a sample."""
    return _prepare(work, counting=True, source=str(source))


def five(source: Path, work: Path) -> dict[str, Any]:
    """This project, of 5 % of the rows."""
    return _prepare(work, source=str(source), percent=5)


def exact(source: Path, work: Path) -> dict[str, Any]:
    """This project, of 2,000 rows whose tokens are counted exactly."""
    import pyarrow.parquet as pq

    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in source.glob("*.parquet"))
    return _prepare(work, counting=True, source=str(source), tokens="exact", percent=min(100, 100 * EXACT_ROWS / rows))


def mutated(source: Path, work: Path) -> dict[str, Any]:
    """This project, of 10,000 rows in every kind of disrepair, one of 50 MB."""
    from tests.bench.mutate import conversation, mutate

    generator = random.Random(7)
    rows = [mutate(conversation(generator), generator) for _ in range(MUTATED - 1)]
    rows.insert(MUTATED // 2, b'{"messages": [{"role": "user", "content": "' + b"a word " * (50 * 2**20 // 7) + b'"}]}')
    path = work / "rows.jsonl"
    path.write_bytes(b"\n".join(rows))
    return _prepare(work, source=str(path), max_left_out=100)


def _prepare(work: Path, counting: bool = False, **dataset: Any) -> dict[str, Any]:
    from scripts.dataset import tokenizer
    from scripts.dataset.prepare import prepare as run
    from scripts.dataset.settings import from_values

    given = {"splits": {"train": None, "validation": 0.05, "test": 0.05}, **dataset}
    settings = from_values({"dataset": given, "model": MODEL, "finetune": {"max_seq_length": 2048}})
    none = mock.patch.object(tokenizer, "find", lambda *_: (None, "nothing: lengths are measured apart"))
    with contextlib.nullcontext() if counting else none:
        code, manifest, _ = run(settings, work / "out", say=lambda line: None, stream=None)
    read, lengths = list(manifest["read"].values()), manifest["files"]["train"]["tokens"]
    return {
        "code": code, "in": sum(each["in"] for each in read), "kept": sum(each["kept"] for each in read),
        "dropped": sum(sum(each["dropped"].values()) for each in read),
        "bytes": sum(file["bytes"] for file in manifest["files"].values()),
        "error": 100 * lengths["error"] / max(lengths["tokens"], 1), "counted_with": manifest["tokens"]["counted_with"],
    }  # fmt: skip


TASKS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    task.__name__: task
    for task in (datasets_only, datasets_unique, polars_unique, duckdb_unique, prepare, tokens, five, exact, mutated)
}


def run(task: str, source: str, base: str) -> int:
    """Does one task in a folder of its own under `base`."""
    with tempfile.TemporaryDirectory(dir=base) as work:
        print(json.dumps({**TASKS[task](Path(source), Path(work)), "peak_mb": _peak()}))
    return 0


def _peak() -> float:
    """Returns the most memory of this program; `getrusage` would count that of the process that started it, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes, on macOS


if __name__ == "__main__":
    main(lambda: run(*sys.argv[1:4]))
