"""The whole chain begins what make says from one process; what is no plain call of this project a shell runs."""

import os
import shlex
import signal
import subprocess
import sys

import pytest

from scripts import programs
from scripts.chain import whole
from scripts.errors import INTERRUPTED, MISSING
from scripts.files import ROOT
from scripts.targets import BRIEF

FIRST = ["data", "compute", "finetune", "register", "deploy"]
STATE = f"{sys.executable} -m scripts.state"


@pytest.fixture(params=[True, False], ids=["copies", "started"])
def make(request, tmp_path, monkeypatch):
    """A make whose targets are these lines, and that says for `-n` what it would run."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(programs, "FORKS", programs.FORKS and request.param)

    def made(**targets):
        rules = "\n".join(f"{name}:\n" + "".join(f"\t@{line}\n" for line in lines) for name, lines in targets.items())
        (tmp_path / "Makefile").write_text(f".PHONY: {' '.join(targets)}\n{rules}\n")
        return whole.Whole(["make", "-f", str(tmp_path / "Makefile"), "--no-print-directory"])

    return made


def test_targets_run_in_turn_until_one_fails(make, tmp_path, capfd):
    told = tmp_path / "told 'so'"
    chain = make(
        first=[f"{STATE} --help > {shlex.quote(str(told))}", "echo begun; echo and more"],
        second=[f"{STATE} data-version --env nosuch --folder {tmp_path}"],
        third=["echo too far"],
    )
    assert chain.targets("first") == 0
    assert "usage: python -m scripts.state" in told.read_text() and capfd.readouterr().out == "begun\nand more\n"
    code = chain.targets("first", "second", "third")
    shown = capfd.readouterr()
    assert code == (MISSING if programs.FORKS else 2)  # make's own code for whatever failed
    assert "data/nosuch/manifest.json: not there yet" in shown.err and "too far" not in shown.out


def test_a_line_that_goes_on_in_the_next_is_one(make, capfd):
    assert make(first=["echo one \\\n\ttwo", "echo three"]).targets("first") == 0
    assert capfd.readouterr().out == "one two\nthree\n"


def test_what_make_cannot_say_it_says_itself(make, capfd):
    assert make(first=["echo x", "$(error data: not so)"]).targets("first") == 2
    assert "data: not so" in capfd.readouterr().err
    assert make(first=["echo x"]).targets("nosuch") == 2
    assert "No rule to make target 'nosuch'" in capfd.readouterr().err


def test_a_line_is_begun_here_only_where_a_shell_would_add_nothing(make):
    if not programs.FORKS:
        return
    plain = f"{STATE} job --env 'a b' --folder 'it'\\''s $HOME; x > y'"
    lines = [
        plain.replace("$", "$$"),
        f"{STATE} --help > /dev/null",
        f"X=1 {STATE} --help",
        f'{STATE} "$$HOME"',
        "echo x",
        f"{STATE} *",
    ]
    words = list(make(first=lines)._commands(["first"]))
    assert words[0] == [sys.executable, *"-m scripts.state job --env".split(), "a b", "--folder", "it's $HOME; x > y"]
    assert [each[:2] for each in words[1:]] == [["sh", "-c"]] * 5


def test_after_a_signal_nothing_more_is_begun(make, capfd):
    chain = make(first=[f"kill -INT {os.getpid()}; sleep 0.2", "echo too far"], second=["echo much too far"])
    assert chain.targets("first", "second") == INTERRUPTED
    assert "much too far" not in capfd.readouterr().out
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_programs_of_a_target_run_in_turn_behind_one_that_watches(tmp_path):
    begun = tmp_path / "begun"
    run = ["--env", "demo", "--folder", str(tmp_path), "deploy", "--"]
    fails = [sys.executable, "-m", "scripts.state", "data-version", "--env", "nosuch", "--folder", str(tmp_path)]
    for programs_of_it, code, there in (
        (["true", "--then", "touch", str(begun)], 0, True),
        ([*fails, "--then", "touch", str(begun)], MISSING, False),
        (["sh", "-c", "kill -TERM $PPID; sleep 0.2", "--then", "touch", str(begun)], INTERRUPTED, False),
    ):
        done = subprocess.run([sys.executable, "-m", "scripts.chain.watch", *run, *programs_of_it], cwd=ROOT,
                              capture_output=True, text=True)  # fmt: skip
        assert (done.returncode, begun.exists()) == (code, there), done.stderr
        last = done.stderr.splitlines()[-1:] or [""]
        assert last[0].startswith("error: make deploy was interrupted; endpoint") == (code == INTERRUPTED)
        begun.unlink(missing_ok=True)


@pytest.mark.parametrize(("options", "failing", "called"), [
    ([], "", [*FIRST, "invoke", "undeploy"]),
    (["--keep"], "", [*FIRST, "invoke"]),
    (["--demo"], "", ["validate", *FIRST, "answers", "undeploy", "local-rest"]),
    (["--demo"], "answers", ["validate", *FIRST, "answers", "undeploy", "local-rest"]),
    (["--demo"], "data", ["validate", "data", "local-rest"]),
])  # fmt: skip
def test_the_targets_in_their_order(tmp_path, monkeypatch, options, failing, called):
    monkeypatch.setattr(programs, "FORKS", False)
    for name in (BRIEF, "MAKEFLAGS"):  # which it sets for what it starts
        monkeypatch.setenv(name, "")
    make, log = tmp_path / "make", tmp_path / "log"
    make.write_text(f'#!/bin/sh\necho "$1" >> {log}\n[ "$1" != "{failing}" ]\n')
    make.chmod(0o700)
    words = ["--env", "demo", "--folder", str(tmp_path / "demo" / "local")]
    assert bool(whole.run([*words, *options, "--", str(make)])) == bool(failing)
    assert log.read_text().split() == called
