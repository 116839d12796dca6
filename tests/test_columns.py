"""What targets print at 80 columns: no line is wider, and what the shipped environments print is calm."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import terminal
from scripts.files import ROOT
from scripts.values.read import environments

VENV = Path(sys.executable).parent.parent
OLD = [word for group in ("core", "local") for word in ("-o", str(VENV / f".installed-{group}"))]
TARGETS = ("render", "validate", "render-check", "preflight OFFLINE=1", "gpu")


def shown(*words: str) -> list[str]:
    """Calls make in a terminal of 80 columns and returns the lines that a person sees."""
    master, slave = pty.openpty()
    os.set_blocking(master, True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "COLUMNS"))}
    command = ["make", "--no-print-directory", f"VENV={VENV}", *OLD, *words]
    process = subprocess.Popen(
        ["sh", "-c", 'stty cols 80 && exec "$@"', "sh", *command],
        cwd=ROOT, env=clean | {"TERM": "dumb"}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 65536):
            text += part
    except OSError:  # the end of a terminal
        pass
    os.close(master)
    process.wait(60)
    return [line.rstrip("\r") for line in text.decode().split("\n")]


@pytest.mark.parametrize("environment", environments())
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_of_a_shipped_environment_is_calm_and_fits(environment, target):
    lines = shown(*target.split(), f"ENV={environment}")
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if line.lower().startswith(("warn", "error", "fail", "traceback"))] == []
    assert any(line.strip() for line in lines) or target == "render-check"
    if environment == "demo" and target != "gpu":
        assert "billed" not in "\n".join(lines)


@pytest.mark.parametrize(
    "words",
    [
        ["help"],
        ["local-fault"],
        ["compute", "ENV=dev", "BACKEND=local", "SET=finetune.learning_rate=0.5 compute.max_instances=2"],
        ["deploy", "ENV=prod"],
        ["validate", "ENV=reference", "SET=finetune.learning_rat=0.5"],
    ],
    ids=lambda words: words[0],
)
def test_other_lines_fit_too(words, monkeypatch, tmp_path):
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(tmp_path))
    assert [line for line in shown(*words) if len(line) > 80 and "make: ***" not in line] == []


def test_words_stay_whole_and_so_does_what_is_longer_than_a_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = terminal.wrapped(f"a file that is not there: {'x' * 70}; " + "word " * 30, "  ", "").splitlines()
    assert "  " + "x" * 70 + ";" in lines and all(len(line) <= 60 or "x" * 70 in line for line in lines)
    assert terminal.wrapped("first\n\nsecond", "  ") == "  first\n\n  second"


def test_an_answer_that_comes_in_pieces_is_broken_between_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = (
        "An answer of many words, in which none is broken:\n\n    code stays indented\n" + "x" * 50 + " and goes on. "
    )
    for size in (1, 3, 500):
        said: list[str] = []
        flow = terminal.Flow(said.append)
        for at in range(0, len(text), size):
            flow.add(text[at : at + size])
        flow.end()
        lines = "".join(said).split("\n")
        assert lines[:3] == ["An answer of many words, in which none", "is broken:", ""]
        assert lines[3:] == ["    code stays indented", "x" * 50, "and goes on."]


def test_a_table_is_no_wider_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = [["learning_rate", "words that go on and on " * 3, "azureml-chat-train:39fda9b81d13"], ["b", "", "c"]]
    lines = terminal.table(rows, ["parameter that differs", "dev-0123456789-1", "dev-0123456789-2"]).splitlines()
    assert max(map(len, lines)) <= 80 and "39fda9b81d13" in "".join(lines)
