"""Speed and peak memory of the preparation against `datasets` alone, on a set shaped like ultrachat_200k's train_sft.

Every measurement is a process of its own, so that its memory is its own; alternating, and the best of two is taken.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, UserError, main
from scripts.files import ROOT

ROUNDS = 2
MUTATED = 10_000
EXACT_ROWS = 2_000
MODEL = {"huggingface_id": "HuggingFaceTB/SmolLM2-135M-Instruct"}


def bench(rows: int, folder: Path | None, form: str = "text") -> int:
    """Generates the data in `folder` (or a temporary one), measures, prints; 1 if a target is missed."""
    with contextlib.ExitStack() as stack:
        base = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-data-")))
        base.mkdir(parents=True, exist_ok=True)
        once, twice = base / "once", base / "twice"
        for at, where in enumerate((once, twice)):
            where.mkdir(exist_ok=True)
            generate(rows, where / f"train-0000{at}-of-00002.parquet", seed=at + 1)
        link = twice / "train-00000-of-00002.parquet"
        if not link.exists():
            os.link(once / link.name, link)
        best: dict[str, dict[str, Any]] = {}
        for _ in range(ROUNDS):
            for what in ("datasets", "prepare", "tokens", "five"):
                result = measure(what, once, base)
                if what not in best or result["seconds"] < best[what]["seconds"]:
                    best[what] = result
        best["twice"] = measure("twice", twice, base)
        best["exact"] = measure("exact", once, base)
        best["mutated"] = measure("mutated", once, base)
    figures = judge(best, rows)
    if form == "json":
        print(json.dumps({"rows": rows, "measured": best, "targets": figures}, indent=2))
    else:
        show(best, figures, rows)
    return int(not all(each["met"] for each in figures))


def judge(best: dict[str, dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Compares the measurements with what is asked of them."""
    seconds = {name: each["seconds"] for name, each in best.items()}
    memory = max(best[name]["peak_mb"] for name in ("prepare", "tokens", "five", "twice"))
    growth = best["twice"]["peak_mb"] / best["prepare"]["peak_mb"] - 1
    tokens = seconds["tokens"] / seconds["prepare"] - 1
    mutated = best["mutated"]
    return [
        _figure("no slower than datasets alone", f"{seconds['prepare']:.1f} s against {seconds['datasets']:.1f} s",
                seconds["prepare"] <= seconds["datasets"]),
        _figure("under 400 MB at any size", f"{memory:.0f} MB, twice the rows {100 * growth:+.0f} %", memory < 400),
        _figure("5 % in a tenth of the time", f"{seconds['five']:.2f} s of {seconds['prepare']:.1f} s, "
                f"{100 * seconds['five'] / seconds['prepare']:.1f} %", seconds["five"] <= seconds["prepare"] / 10),
        _figure("token lengths within 20 %", f"{100 * tokens:+.0f} %, error ± {best['tokens']['error']:.2f} %; exactly "
                f"{EXACT_ROWS / best['exact']['seconds']:,.0f} rows/s", tokens <= 0.2),
        _figure(f"{MUTATED:,} mutated rows add up", f"{mutated['in']:,} in, {mutated['kept']:,} kept, "
                f"{mutated['dropped']:,} named", mutated["in"] == mutated["kept"] + mutated["dropped"] == MUTATED),
    ]  # fmt: skip


def show(best: dict[str, dict[str, Any]], figures: list[dict[str, Any]], rows: int) -> None:
    """Prints the measurements as a table, and what was asked beside what was measured."""
    names = {
        "datasets": "datasets: load_dataset().to_json(), checks nothing",
        "prepare": "prepare: checked, de-duplicated, leak-checked",
        "tokens": "prepare, with token lengths from a sample",
        "five": "prepare, 5 %",
        "twice": "prepare, twice the rows",
        "exact": f"prepare, {EXACT_ROWS:,} rows, tokens counted exactly",
        "mutated": f"prepare, {MUTATED:,} mutated rows",
    }
    print(f"{rows:,} conversations, {best['datasets']['bytes'] / 1e9:.2f} GB as JSON Lines; best of {ROUNDS}")
    for name, each in best.items():
        print(
            f"  {names[name]:<52} {each['seconds']:7.2f} s  {each['cpu_seconds']:7.2f} s of CPU  "
            f"{each['peak_mb']:5.0f} MB at most"
        )
    for each in figures:
        print(f"{'ok  ' if each['met'] else 'MISS'} {each['asked']}: {each['measured']}")


def measure(what: str, source: Path, base: Path) -> dict[str, Any]:
    """Runs one measurement in a process of its own; returns its wall seconds, peak resident MB and what it reports."""
    command = [sys.executable, "-m", "tests.bench.data", what, str(source), str(base)]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as process:
        out = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise UserError(f"{' '.join(command)}: ended with exit code {process.returncode}; its message is above", FAILED)
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": usage.ru_maxrss / scale,
        **json.loads(out.splitlines()[-1]),
    }


def generate(rows: int, path: Path, seed: int) -> None:
    """Writes made-up conversations as Parquet, in row groups of a thousand as on the hub; keeps what is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists() and pq.ParquetFile(path).metadata.num_rows == rows:
        return
    generator = random.Random(seed)
    sentences = _sentences(generator)
    message = pa.struct([("content", pa.string()), ("role", pa.string())])
    schema = pa.schema([("prompt", pa.string()), ("prompt_id", pa.string()), ("messages", pa.list_(message))])
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema) as writer:
        for start in range(0, rows, 1000):
            conversations = [_conversation(generator, sentences) for _ in range(min(1000, rows - start))]
            columns = [
                [each[0]["content"] for each in conversations],
                [hashlib.sha256(f"{seed} {start + at}".encode()).hexdigest() for at in range(len(conversations))],
                conversations,
            ]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
    partial.rename(path)


def _sentences(generator: random.Random) -> list[str]:
    """Makes sentences of words by Zipf's law, with the punctuation, quotes and paragraphs of chat text."""
    syllables = [first + last for first in "bcdfghklmnprstvw" for last in ("a", "e", "i", "o", "u", "ai", "ou")]
    words = ["".join(generator.choices(syllables, k=generator.choice((1, 2, 2, 3, 3, 4)))) for _ in range(20_000)]
    ends = (". ", ". ", "? ", "! ", ".\n\n", '." ', ", ")
    sentences = []
    for _ in range(20_000):
        some = [words[int(generator.paretovariate(1.0)) % len(words)] for _ in range(generator.randint(6, 22))]
        quoted = generator.random() < 0.01
        sentences.append((" ".join(some).capitalize() + generator.choice(ends)).replace(" ", " “so” ", int(quoted)))
    return sentences


def _conversation(generator: random.Random, sentences: list[str]) -> list[dict[str, str]]:
    messages = []
    for turn in range(generator.choice((4, 6, 6, 8))):
        count = generator.randint(1, 3) if turn % 2 == 0 else generator.randint(15, 36)
        role = "assistant" if turn % 2 else "user"
        messages.append({"content": "".join(generator.choices(sentences, k=count)), "role": role})
    return messages


def child(what: str, source: str, base: str) -> int:
    """Does one measurement; the last line of its output is what it has to report."""
    with tempfile.TemporaryDirectory(dir=base) as work:
        report = _datasets(source, Path(work)) if what == "datasets" else _prepare(what, source, Path(work))
    print(json.dumps(report))
    return 0


def _datasets(source: str, work: Path) -> dict[str, Any]:
    import datasets

    files = [str(path) for path in sorted(Path(source).glob("*.parquet"))]
    datasets.disable_progress_bars()
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(work / "cache"))
    return {"bytes": rows.to_json(str(work / "out.jsonl"))}


def _prepare(what: str, source: str, work: Path) -> dict[str, Any]:
    from unittest import mock

    from scripts.dataset import tokenizer
    from scripts.dataset.prepare import prepare
    from scripts.dataset.settings import from_values

    given: dict[str, Any] = {"source": source, "splits": {"train": None, "validation": 0.05, "test": 0.05}}
    if what == "five":
        given["percent"] = 5
    if what == "mutated":
        given |= {"source": str(_mutated(work / "rows.jsonl")), "max_left_out": 100}
    if what == "exact":
        given["tokens"] = "exact"
        given["percent"] = 100 * EXACT_ROWS / _rows_in(Path(source))
    settings = from_values({"dataset": given, "model": MODEL, "finetune": {"max_seq_length": 2048}})
    counting = what in ("tokens", "exact")
    none = mock.patch.object(tokenizer, "find", lambda *_: (None, "nothing: lengths are measured apart"))
    with contextlib.nullcontext() if counting else none:
        code, manifest, _ = prepare(settings, work / "out", say=lambda line: None, stream=None)
    read = list(manifest["read"].values())
    tokens = manifest["files"]["train"]["tokens"]
    return {
        "code": code, "in": sum(each["in"] for each in read), "kept": sum(each["kept"] for each in read),
        "dropped": sum(sum(each["dropped"].values()) for each in read),
        "error": 100 * tokens["error"] / max(tokens["tokens"], 1), "counted_with": manifest["tokens"]["counted_with"],
    }  # fmt: skip


def _mutated(path: Path) -> Path:
    from tests.bench.mutate import conversation, mutate

    generator = random.Random(7)
    rows = [mutate(conversation(generator), generator) for _ in range(MUTATED - 1)]
    rows.insert(MUTATED // 2, b'{"messages": [{"role": "user", "content": "' + b"a word " * (50 * 2**20 // 7) + b'"}]}')
    path.write_bytes(b"\n".join(rows))
    return path


def _rows_in(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.ParquetFile(path).metadata.num_rows for path in folder.glob("*.parquet"))


def _figure(asked: str, measured: str, met: bool) -> dict[str, Any]:
    return {"asked": asked, "measured": measured, "met": bool(met)}


def _arguments() -> tuple[int, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.data", description=__doc__)
    parser.add_argument("--rows", type=int, default=207_865, help="conversations to generate (default 207865)")
    parser.add_argument("--folder", type=Path, help="where to generate (default: a temporary folder)")
    arguments = parser.parse_args()
    return arguments.rows, arguments.folder


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("datasets", "prepare", "tokens", "five", "twice", "exact", "mutated"):
        main(lambda: child(*sys.argv[1:4]))
    main(lambda: bench(*_arguments()))
