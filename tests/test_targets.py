"""The commands that sentences advise: one way to build them, and on localhost none names what is paid for."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import targets
from scripts.files import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M)) | {"data-report"}
# They take no ENV; and what stands in a committed file is the same wherever it was made.
PLAIN = {"demo", "new", "docs", "review", "local-up", "local-down", "local-status", "local-fault"}
COMMITTED = (
    "Rendered by make render from",
    "pinned by make lock ENV=",
    "What make data ENV=",
    "Copied by make render from",
)


def texts(path: Path) -> list[str]:
    """Returns what a module may print: its strings but for docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


def test_no_sentence_builds_a_command_by_itself():
    modules = sorted((ROOT / "scripts").rglob("*.py"))
    found = [(path, text) for path in modules for text in texts(path)]
    found += [(path, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "scripts").rglob("*.j2"))]
    by_hand = [
        f"{path.relative_to(ROOT)}: make {target}"
        for path, text in found
        for target in re.findall(r"\bmake ([a-z-]+)", text)
        if target in TARGETS - PLAIN and not any(words in text for words in COMMITTED)
    ]
    assert by_hand == []
    assert len(found) > 1000


@pytest.mark.parametrize(
    ("call", "wanted", "command"),
    [
        ("", ("deploy", "dev"), "make deploy ENV=dev"),
        ("", ("deploy",), "make deploy"),
        ("ENV=dev", ("evaluate promote", "dev"), "make evaluate promote ENV=dev"),
        ("ENV=dev BACKEND=local", ("undeploy", "dev"), "make undeploy ENV=dev BACKEND=local"),
        ("ENV=dev BACKEND=local", ("undeploy",), "make undeploy ENV=dev BACKEND=local"),
        ("ENV=dev BACKEND=local", ("lock", "dev"), "make lock ENV=dev"),
        ("ENV=demo BACKEND=azure", ("finetune", "demo", "AGAIN=1"), "make finetune ENV=demo BACKEND=azure AGAIN=1"),
    ],
)
def test_a_command_stays_on_the_backend(monkeypatch, call, wanted, command):
    monkeypatch.setenv(targets.CALL, call)
    assert targets.command(*wanted) == command


@pytest.mark.parametrize(
    ("words", "call", "costs"),
    [
        (["ENV=dev"], "ENV=dev", ""),
        (["ENV=dev", "BACKEND=local"], "ENV=dev BACKEND=local", "nothing"),
        (["ENV=demo"], "ENV=demo", "nothing"),
        (["ENV=demo", "BACKEND=azure"], "ENV=demo BACKEND=azure", ""),
        (["demo"], "ENV=demo", "nothing"),
    ],
    ids=" ".join,
)
def test_the_makefile_hands_the_call_down(tmp_path, words, call, costs):
    program, venv = tmp_path / "shows", Path(sys.prefix)
    program.write_text(
        '#!/bin/sh\ncase "$*" in *scripts.workspace*) exit 0;; esac\nenv | grep ^AZUREML_CHAIN_C\nexit 0\n'
    )
    program.chmod(0o700)
    old = [word for group in ("core", "local") for word in ("-o", str(venv / f".installed-{group}"))]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *old, f"VENV={venv}", f"PY={program}", *words]
    command += [] if "demo" in words else ["undeploy"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean | {targets.CALL: "x"}, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.splitlines()) == sorted([f"{targets.COSTS}={costs}", f"{targets.CALL}={call}"])


def test_what_only_reads_writes_nothing(tmp_path):
    home, data = tmp_path / "home", tmp_path / "a.jsonl"
    row = '{"messages": [{"role": "user", "content": "Is %d even?"}, {"role": "assistant", "content": "Count to %d."}]}'
    data.write_text("\n".join(row % (number, number) for number in range(20)) + "\n")
    where = os.environ | {"AZUREML_LOCAL_HOME": str(home)}
    listed = [sys.executable, "-m", "scripts.local", "fault"]
    assert subprocess.run(listed, cwd=ROOT, env=where, stdout=subprocess.PIPE, check=True).stdout
    assert not home.exists()
    home.write_text("")  # nothing can be kept below it
    check = [sys.executable, "-m", "scripts.dataset", "check", "--env", "demo", str(data)]
    done = subprocess.run(check, cwd=ROOT, env=where, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "rows/s" not in line]  # how far it is, on a slow machine
    assert "verdict   ready" in done.stdout and said == []
    assert home.read_text() == ""
