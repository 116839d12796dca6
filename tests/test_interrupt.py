"""Ctrl-C that comes while a program is still being loaded."""

import shlex
import signal
import subprocess
import sys

from scripts.files import ROOT


def test_a_program_that_is_interrupted_while_it_loads_shows_no_traceback():
    for code, said in (("KeyboardInterrupt", "interrupted\n"), ("ValueError('x')", "ValueError: x\n")):
        command = [sys.executable, "-c", f"import scripts\nraise {code}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode and done.stderr.endswith(said)
        assert ("Traceback" in done.stderr) == (code != "KeyboardInterrupt")


def test_a_program_whose_output_is_closed_or_full_shows_no_traceback():
    program = "from scripts.errors import main\nmain(lambda: print('x'))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    for redirect, code in ((">&-", 0), ("<&- >&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 7)):
        done = subprocess.run(["sh", "-c", f"{command} {redirect}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code and done.stdout == ""
        assert len(done.stderr.splitlines()) == (1 if code else 0), done.stderr


def test_a_terminal_that_is_closed_sends_its_signal_twice(tmp_path):
    child = "import time\nprint('up', flush=True)\ntry: time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(0.2)"
    words = ["--env", "demo", "--folder", str(tmp_path), "deploy"]
    for _ in range(4):
        program = subprocess.Popen(
            [sys.executable, "-m", "scripts.chain.watch", *words, "--", sys.executable, "-c", child], cwd=ROOT,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        program.stdout.readline()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            program.send_signal(number)
        assert "watch.py" not in program.communicate(timeout=30)[1]


READ_NO_MORE = """
import sys
from scripts.errors import main
def work():
    for _ in range(99): print("x" * 9999)
    print("y", file=sys.stderr)
    open(sys.argv[1], "w")
    return 3
main(work)
"""


def test_a_reader_that_goes_away_stops_nothing_and_changes_no_exit_code(tmp_path):
    for redirect in ("", "2>&1"):
        done, code = tmp_path / f"done{redirect}", tmp_path / "code"
        words = shlex.join([sys.executable, "-c", READ_NO_MORE, str(done)])
        command = f"({words} {redirect}; echo $? > {code}) | true"
        shown = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True)
        assert done.exists() and code.read_text() == "3\n"
        assert shown.stderr == ("" if redirect else "y\n")
