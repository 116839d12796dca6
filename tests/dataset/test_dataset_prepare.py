"""The files that `prepare` leaves: whole, of one run, the same for the same input, and a page to look at."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.dataset import lengths
from scripts.dataset.prepare import prepare
from scripts.dataset.progress import Progress, clock
from scripts.dataset.settings import from_values
from scripts.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SPLITS = {"train": None, "validation": 0.1, "test": 0.1}


def source(path: Path, count: int = 300) -> Path:
    lines = []
    for at in range(count):
        turns = [
            ("user", f"Question {at} about a <b>bold</b> & brave subject?"),
            ("assistant", f"Answer {at}. " + "word " * (at % 90)),
        ]
        lines.append(json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}))
    path.write_text("\n".join(lines))
    return path


def run(
    path: Path, folder: Path, said: list[str] | None = None, length: int = 64, **dataset: Any
) -> tuple[int, dict, bool]:
    values = {"dataset": {"source": str(path), "splits": SPLITS, **dataset}, "finetune": {"max_seq_length": length}}
    return prepare(from_values(values), folder, say=(said if said is not None else []).append, stream=None)


def test_the_manifest_describes_the_files(tmp_path: Path) -> None:
    _, manifest, _ = run(source(tmp_path / "a.jsonl"), tmp_path / "out")
    hashes = []
    for part, file in manifest["files"].items():
        data = (tmp_path / "out" / f"{part}.jsonl").read_bytes()
        assert file["sha256"] == hashlib.sha256(data).hexdigest() and file["bytes"] == len(data)
        assert file["rows"] == data.count(b"\n")
        hashes.append(file["sha256"])
    assert manifest["version"] == hashlib.sha256("".join(hashes[:3]).encode()).hexdigest()[:12]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8")) == json.loads(json.dumps(manifest))
    names = {"train.jsonl", "validation.jsonl", "test.jsonl", "heldout.jsonl", "manifest.json", "report.html"}
    assert {each.name for each in (tmp_path / "out").iterdir()} == names


def test_a_second_run_does_nothing_until_something_changes(tmp_path: Path) -> None:
    path = source(tmp_path / "a.jsonl")
    _, first, fresh = run(path, tmp_path / "out")
    stamp = (tmp_path / "out" / "train.jsonl").stat().st_mtime_ns
    said: list[str] = []
    _, second, again = run(path, tmp_path / "out", said)
    assert fresh and not again and second["version"] == first["version"] and said[0].startswith("nothing to do")
    assert (tmp_path / "out" / "train.jsonl").stat().st_mtime_ns == stamp
    with (tmp_path / "out" / "test.jsonl").open("a") as stream:
        stream.write("\n")
    assert run(path, tmp_path / "out")[2]
    assert run(path, tmp_path / "out", seed=1)[2]
    source(path, 301)
    assert run(path, tmp_path / "out", seed=1)[2]


def test_a_failed_check_leaves_what_was_there(tmp_path: Path) -> None:
    path = source(tmp_path / "a.jsonl")
    _, first, _ = run(path, tmp_path / "out")
    path.write_text(path.read_text() + "\n{")
    code, manifest, _ = run(path, tmp_path / "out", checks={"json": "fail"})
    assert code == 1 and manifest["status"] == "fail"
    assert json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))["version"] == first["version"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_half_file(tmp_path: Path, sent: signal.Signals) -> None:
    words = [
        "prepare",
        "--env",
        "demo",
        "--source",
        str(source(tmp_path / "a.jsonl")),
        "--folder",
        str(tmp_path / "out"),
    ]
    program = (
        "import time\n"
        "from scripts.dataset import survey\n"
        "from scripts.dataset.__main__ import command_line\n"
        "from scripts.errors import main\n"
        "original = survey.chunks\n"
        "def stalled(*arguments):\n"
        "    yield from original(*arguments)\n"
        "    time.sleep(600)  # as a network that does not answer\n"
        "survey.chunks = stalled\n"
        f"main(lambda: command_line({words!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("out/.partial-*/*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.glob("out/.partial-*/*.jsonl"))
    process.send_signal(sent)
    _, errors = process.communicate(timeout=20)
    assert not list(tmp_path.glob("out/*.json*"))
    if sent == signal.SIGKILL:
        assert list(tmp_path.glob("out/.partial-*"))  # nobody could tidy up; the next run does
        run(tmp_path / "a.jsonl", tmp_path / "out")
    else:
        assert process.returncode == 130 and errors.strip().endswith("interrupted") and "Traceback" not in errors
    assert not list(tmp_path.glob("out/.partial-*"))


def test_token_lengths_from_a_sample_are_within_their_error(tmp_path: Path, small_tokenizer: Path) -> None:
    path = source(tmp_path / "a.jsonl", 3000)
    exact = run(path, tmp_path / "exact", tokens="exact", tokenizer=str(small_tokenizer))[1]["files"]["train"]["tokens"]
    sampled = run(path, tmp_path / "sample", tokenizer=str(small_tokenizer))[1]["files"]["train"]["tokens"]
    assert exact["how"] == "exact" and exact["error"] == 0 and sampled["how"] == "sample" and sampled["counted"] == 400
    assert 0 < sampled["error"] < 0.05 * exact["tokens"]
    assert abs(sampled["tokens"] - exact["tokens"]) < 2 * sampled["error"]  # twice: one sample in 20,000 is further off
    assert abs(sampled["trained"] - exact["trained"]) < 2 * sampled["trained_error"]
    cut = sampled["cut"]["too_long"]
    assert cut["low"] <= exact["cut"]["too_long"]["rows"] <= cut["high"] and exact["cut"]["trained_lost"] > 0


def test_without_a_tokenizer_the_guess_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.dataset import tokenizer

    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    _, manifest, _ = run(source(tmp_path / "a.jsonl"), tmp_path / "out")
    tokens = manifest["files"]["train"]["tokens"]
    assert tokens["how"] == "characters" and tokens["error"] > 0.3 * tokens["tokens"]
    assert "not installed" in manifest["tokens"]["counted_with"]
    assert "4.2 bytes" in (tmp_path / "out" / "report.html").read_text("utf-8")
    with pytest.raises(UserError, match="exact counts need a tokenizer"):
        run(tmp_path / "a.jsonl", tmp_path / "exact", tokens="exact")


def test_the_light_tokenizer_is_transformers_own(small_tokenizer: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from scripts.conversation import tokens as chat
    from scripts.dataset.tokenizer import Tokenizer

    heavy = transformers.PreTrainedTokenizerFast.from_pretrained(small_tokenizer)
    light = Tokenizer(small_tokenizer, "small")
    for text in ("What is this?", "Ça va 你好 🙂\n\n<|end|>", ""):
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": f"{text} word"}]
        assert chat.text(light, messages) == chat.text(heavy, messages)
        assert chat.encode(light, messages).ids == chat.encode(heavy, messages).ids


def test_the_cut_loses_answers_and_says_which(tmp_path: Path, small_tokenizer: Path) -> None:
    _, manifest, _ = run(
        source(tmp_path / "a.jsonl"), tmp_path / "out", length=12, tokens="exact", tokenizer=str(small_tokenizer)
    )
    lost = next(each for each in manifest["checks"] if each["name"] == "answers_lost")
    assert lost["count"] > 100 and "no answer in the first 12" in lost["examples"][0]["found"]
    assert "struck out" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_estimates_are_exact_where_everything_was_counted() -> None:
    values, sizes = np.array([10.0, 20.0]), np.array([40.0, 80.0])
    assert lengths.estimate(values, sizes, 120, 2) == (30, 0)
    total, error = lengths.estimate(values, sizes, 1200, 20)
    assert (total, error) == (300, 0)  # every row of the sample has the same ratio
    assert lengths.proportion(1, 2, 2)["low"] == 1 and lengths.proportion(0, 100, 1000)["high"] > 10


def test_the_report_shows_the_data_as_text(tmp_path: Path, small_tokenizer: Path) -> None:
    run(source(tmp_path / "a.jsonl"), tmp_path / "out", tokenizer=str(small_tokenizer))
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<b>bold</b>" not in text and "&lt;b&gt;bold&lt;/b&gt; &amp; brave subject" in text
    assert text.count('<svg role="img" aria-label=') == 4 and "<mark>" in text


def test_progress_is_a_line_with_speed_and_time_left() -> None:
    bar = Progress(200, None)
    bar.part("train")
    bar.advance(10, 100)
    assert re.fullmatch(r"train  50 %  10 rows  [\d,]+ rows/s  [\d,]+ MB/s  \d:\d\d left", bar.line(time.monotonic()))
    assert clock(59.7) == "1:00" and clock(3725) == "1:02:05"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "scripts.dataset", *words], cwd=ROOT, capture_output=True, text=True)


def test_the_command_line_checks_and_returns_codes(tmp_path: Path, small_tokenizer: Path) -> None:
    demo = ("--env", "demo", "--set", f"dataset.tokenizer={small_tokenizer}")
    good = source(tmp_path / "good.jsonl")
    bad = tmp_path / "bad.jsonl"
    bad.write_text(good.read_text() + '\n{"messages": [{"role": "user"}]}')
    done = command("check", str(good), *demo)
    assert done.returncode == 0, done.stderr
    done = command("check", "-o", "json", str(bad), *demo)
    assert done.returncode == 1 and json.loads(done.stdout)["status"] == "fail"
    done = command("check", str(bad), *demo)
    assert "bad.jsonl line 301 messages[0].content: found nothing, expected text" in done.stdout
    done = command("check", str(tmp_path / "none.jsonl"))
    assert done.returncode == 6 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_the_component_writes_where_azure_ml_says(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(
        json.dumps({"dataset": {"source": "some/where", "splits": SPLITS}, "finetune": {"max_seq_length": 64}})
    )
    parts = {part: tmp_path / "outputs" / part / "data" for part in ("train", "validation", "test", "heldout")}
    words = [word for part, path in parts.items() for word in (f"--{part}", str(path))]
    done = command("component", "--settings", str(settings), "--input", str(source(tmp_path / "a.jsonl")), *words,
                   "--report", str(tmp_path / "outputs" / "report"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, manifest, _ = run(tmp_path / "a.jsonl", tmp_path / "out")
    for part, path in parts.items():
        assert path.read_bytes() == (tmp_path / "out" / f"{part}.jsonl").read_bytes()
    made = json.loads((tmp_path / "outputs" / "report" / "manifest.json").read_text("utf-8"))
    assert made["version"] == manifest["version"]


def test_settings_refuse_what_cannot_be_meant() -> None:
    for dataset, words in (
        ({"percent": 0}, "more than 0"), ({"splits": {"train": 0.5}}, "found a number"),
        ({"checks": {"json": "keep"}}, "fail, drop"),
        ({"chekcs": {}}, "did you mean 'checks'"),
        ({"splits": {"validation": 0.6, "test": 0.5}}, "nothing to train on"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            from_values({"dataset": {"source": "a.jsonl", **dataset}})


@pytest.mark.slow
@pytest.mark.long
def test_the_bench_measures_what_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.bench.data import bench

    assert bench(1000, tmp_path / "bench", rounds=1, form="json") in (0, 1)  # so small a set tells nothing about speed
    report = json.loads(capsys.readouterr().out)
    for kind in ("parquet", "jsonl"):
        assert report["measured"][f"prepare {kind}"]["in"] == report["measured"][f"prepare {kind}"]["kept"] == 1000
        assert report["measured"][f"prepare {kind}, 5 times the rows"]["in"] == 5000
    assert report["measured"]["five parquet"]["in"] == 50
    met = {each["asked"]: each["met"] for each in report["targets"]}
    assert met["10,000 mutated rows add up"]
    assert met["JSON Lines: under 300 MB at any size"]


def test_what_was_prepared_is_not_prepared_over_itself(tmp_path: Path) -> None:
    mine = source(tmp_path / "train.jsonl", 40)
    before = mine.read_bytes()
    for given in (mine, tmp_path):
        settings = from_values({"dataset": {"source": str(given), "splits": {"train": "train"}}})
        with pytest.raises(UserError, match="would be overwritten"):
            prepare(settings, tmp_path, say=lambda line: None, stream=None)
    assert mine.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["train.jsonl"]
