"""Programs of this project that go on in a copy of the process: what they are told, say and end with is a program's."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from scripts import programs
from scripts.files import ROOT

# A module of this project whose behaviour can be chosen: it prints what it was told and ends as it was told.
PROGRAM = """
import os, sys, time
what, *words = sys.argv[1:]
print(words, os.environ.get("TOLD"), __name__, flush=what == "sleep")
print("to stderr", file=sys.stderr)
if what == "read":
    print(sys.stdin.read())
if what == "sleep":
    time.sleep(60)
if what == "raise":
    raise ValueError("x")
if what == "say":
    sys.exit("a reason")
if what == "end":
    sys.exit(int(words[0]))
if what == "held":
    os.fstat(int(words[0]))
    os.execv("/bin/sh", ["sh", "-c", f"test -e /dev/fd/{words[0]} && exit 5"])
"""
# What stands in between, as the Makefile's lines have it: the same words for both kinds.
START = """
import json, os, subprocess, sys
sys.path.insert(0, {root!r})
from scripts import programs
programs.FORKS = programs.FORKS and {forks}
words = [sys.executable, "-m", {module!r}, *{words}]
told = os.environ | {{"TOLD": "so"}}
if {lines}:
    with programs.start(words, told=True, talks=False, environment=told) as program:
        out, err = program.stdout.readline(), ""
        program.kill()
else:
    with programs.start(words, capture=True, talks=False, held={held}, environment=told) as program:
        out, err = program.communicate()
print(json.dumps([program.wait(), out, err, type(program).__name__]))
"""


@pytest.fixture(params=[True, False], ids=["copy", "started"])
def call(request, tmp_path):
    """Starts a program as a module of a copy of this project, in a copy of the process or anew."""
    (tmp_path / "scripts").mkdir()
    for name in ("__init__", "programs", "files", "errors", "shape", "terminal"):
        (tmp_path / "scripts" / f"{name}.py").write_text((ROOT / "scripts" / f"{name}.py").read_text())
    (tmp_path / "scripts" / "chosen.py").write_text(PROGRAM)

    def called(*words, held=(), lines=False):
        code = START.format(
            root=str(tmp_path), forks=request.param, module="scripts.chosen", words=words, held=held, lines=lines
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, pass_fds=held
        )
        assert done.returncode == 0, done.stderr
        *answer, kind = json.loads(done.stdout)
        assert kind == ("Forked" if request.param and programs.FORKS else "Popen")
        return answer

    return called


def test_words_environment_output_and_end_are_the_programs(call):
    said = "['a', 'b c'] so __main__\n"
    assert call("go", "a", "b c") == [0, said, "to stderr\n"]
    assert call("end", "3") == [3, "['3'] so __main__\n", "to stderr\n"]
    assert call("say")[0] == 1 and call("say")[2] == "to stderr\na reason\n"
    code, _, err = call("raise")
    assert code == 1 and err.endswith("ValueError: x\n") and "Traceback" in err
    assert call("read")[1].endswith("\n\n")  # standard input is empty


def test_lines_are_told_as_they_come(call):
    assert call("sleep", "a", lines=True) == [-9, "['a'] so __main__\n", ""]


def test_a_descriptor_that_is_to_be_held_is_held_by_what_the_program_becomes(call):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        assert call("held", str(write), held=(write,))[0] == 5
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.skipif(not programs.FORKS, reason="programs are started here")
def test_only_this_projects_modules_in_this_python_go_on_in_a_copy(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert programs.own([sys.executable, "-m", "scripts.state", "job"]) == ["scripts.state", "job"]
    for words in (
        ["az", "ml"],
        [sys.executable, "-c", "1"],
        [sys.executable, "-m", "pip", "x"],
        [sys.executable, "-m", "scripts_of_another"],
        ["/usr/bin/env", "-m", "scripts.state"],
    ):
        assert programs.own(words) == []
    monkeypatch.chdir(tmp_path)  # where another `scripts` may lie
    assert programs.own([sys.executable, "-m", "scripts.state", "job"]) == []


@pytest.mark.skipif(not programs.FORKS, reason="programs are started here")
def test_a_copy_takes_signals_as_a_program_does_whatever_this_process_does_with_them(monkeypatch):
    monkeypatch.chdir(ROOT)
    words = [sys.executable, "-m", "scripts.local", "run", "--", sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(programs.runpy, "run_module", lambda *names, **options: time.sleep(60))
    heard = []
    before = {number: signal.signal(number, lambda number, frame: heard.append(number)) for number in programs.STOPPING}
    try:
        for number, code in ((signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGKILL, -9), (signal.SIGINT, 1)):
            program = programs.start(words)
            assert program.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(0.05)
            program.send_signal(number)
            assert program.wait(10) == code
            program.send_signal(number)  # nobody is there any more, and nobody else is met
            assert not psutil.pid_exists(program.pid)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == []


@pytest.mark.skipif(not programs.FORKS, reason="programs are started here")
def test_what_is_loaded_before_is_what_this_pythons_programs_need():
    code = """
import sys
from scripts import programs
for words in (["az", "ml"], ["/usr/bin/other", "-m", "scripts.az_ml"], [sys.executable, "-m", "scripts.local", "run"]):
    programs.load(words)
    assert "azure.ai.ml" not in sys.modules
programs.load([sys.executable, "-m", "scripts.local", "run", "--", sys.executable, "-m", "scripts.az_ml"])
assert "azure.ai.ml" in sys.modules and "azure.identity" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
