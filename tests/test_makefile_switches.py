"""The Makefile's switches come from the command line alone, and are text; what else a user's shell exports is met.

Recipes run for real, with a program in Python's place that shows what it was called with.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SWITCHES = re.search(r"^SWITCHES := ((?:.*\\\n)*.*)", MAKEFILE, re.M)[1].replace("\\\n", " ").split()
TARGETS = re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M)
NEEDS = {"data-check": ["FILE=a.jsonl"], "compare": ["JOBS=a b"]}  # without which a target has no recipe
SHOWS = """#!/bin/sh
for word; do printf '[%s]' "$word"; done; echo
env | grep -E '^(PIP_|PYTHON|MLFLOW_|VIRTUAL_ENV|HTTPS_PROXY|REQUESTS_CA|SET=|NAME=)' | sort; exit 0
"""
HOSTILE = {
    "PYTHONPATH": "/x", "PYTHONHOME": "/x", "PYTHONSTARTUP": "/x", "PYTHONINSPECT": "1", "PYTHONOPTIMIZE": "2",
    "PIP_USER": "1", "PIP_TARGET": "/x", "PIP_PREFIX": "/x", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_NO_DEPS": "1",
    "VIRTUAL_ENV": "/x", "CONDA_PREFIX": "/x", "CONDA_DEFAULT_ENV": "x", "MLFLOW_TRACKING_URI": "http://x",
    "BASH_FUNC_test%%": "() { exit 3; }", "BASH_FUNC_cd%%": "() { exit 3; }", "CDPATH": "/x", "BASH_ENV": "/x",
}  # fmt: skip
OWN = ("MAKE", "MFLAGS", "PIP_", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE")  # of whoever runs the tests
KEPT = {"PIP_INDEX_URL": "http://i", "PIP_CERT": "/c", "HTTPS_PROXY": "http://p", "REQUESTS_CA_BUNDLE": "/c"}


@pytest.fixture
def made(tmp_path):
    """Calls make, with the program that shows its words in Python's place, and returns how it ended."""
    program = tmp_path / "shows"
    program.write_text(SHOWS)
    program.chmod(0o700)
    return functools.partial(make, f"PY={program}")


def make(*words, cwd=ROOT, **variables):
    here = Path(sys.prefix)
    old = [word for group in ("core", "observe", "local", "dev") for word in ("-o", str(here / f".installed-{group}"))]
    command = ["make", "--no-print-directory", *old, f"VENV={here}", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return subprocess.run(
        command, cwd=cwd, env=clean | variables, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_every_switch_that_a_recipe_reads_is_in_the_list():
    text = re.sub(r"(^|\s)#.*", "", MAKEFILE)
    names = set(re.findall(r"\$\(([A-Z][A-Z_]+)\)", text))
    set_here = set(re.findall(r"^([A-Z][A-Z_]+)\s*[:?]?=", text, re.M)) | {
        "MAKE",
        "MAKEFLAGS",
        "MAKECMDGOALS",
        "CURDIR",
        "MAKELEVEL",
    }
    assert names - set_here - set(SWITCHES) == set()
    assert set(SWITCHES) - names == set()  # none that nothing reads


@pytest.mark.parametrize("words", [["ENV=demo"], ["ENV=dev", "BACKEND=local"], ["ENV=dev"], ["ENV=prod"]], ids=" ".join)
def test_what_a_shell_exports_changes_no_recipe(words):
    exported = dict.fromkeys(SWITCHES, "1") | {"ENV": "prod", "BACKEND": "local", "SET": "a=1; touch X"}
    names = dict.fromkeys(re.findall(r"^([A-Za-z_]+)\s*:?=", MAKEFILE, re.M), "x")
    for target in sorted({*TARGETS, "gate", "prepare", "data-report"} - {"help"}):
        call = ["-n", target, *words, *NEEDS.get(target, [])]
        plain = make(*call)
        assert plain.returncode == 0, plain.stderr
        assert make(*call, **names | exported).stdout == plain.stdout, target


def test_make_without_a_word_ignores_them_too():
    assert make("help", ENV="prod", BACKEND="local").stdout.endswith(
        "Now: ENV=dev BACKEND=azure. README.md says more.\n"
    )


TEXTS = ["a=8; touch X", "a=$(touch X) b=`touch X`", "a=$(shell touch X)", "a='two words' b=\"it's\"", "'", "-x", "--",
         "a=$HOME $$ # | & < > * ~ ü", "a\\ b \\\\"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("switch", ["SET", "NAME", "FILE", "ROW", "DATASET", "JUNIT"])
def test_a_switch_is_text_for_make_and_for_the_shell(made, text, switch):
    target = {"SET": "validate", "FILE": "data-check", "ROW": "invoke", "DATASET": "prepare", "JUNIT": "preflight"}
    done = made(target.get(switch, "await"), "ENV=demo", f"{switch}={text}", SET="1", NAME="1")
    assert not (ROOT / "X").exists() and not done.returncode, done.stderr
    assert f"[{text}]" in done.stdout or f"={text}]" in done.stdout
    assert "\nSET=" not in done.stdout and "\nNAME=" not in done.stdout


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_line_break_is_refused(switch):
    done = make("help", f"{switch}=a\ntouch X")
    assert done.returncode == 2 and f"{switch}: holds a line break" in done.stderr and not (ROOT / "X").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["AGIAN=1"], "AGIAN: there is no such switch; there are ENV BACKEND"),
        (["ENV=%"], "ENV=%: there is no environments/%.yaml"),
        (["ENV=d*"], "ENV=d*: there is no environments/d*.yaml"),
        (["ENV=demo dev"], "there is no environments/demo dev.yaml"),
        (["VENV=a b"], "VENV=a b: a blank or one of"),
        (["VENV=it's"], "VENV=it's: a blank or one of"),
        (["KEEP=no"], "KEEP=no: allowed are 1 and 0"),
        (["WAIT=maybe"], "WAIT=maybe: allowed are 1 and 0"),
        (
            ["-f", str(ROOT / "Makefile"), "-C", "/"],
            "there is no environments/ here: call make in the project's folder",
        ),
        (["-e"], "make -e (or MAKEFLAGS)"),
        (["-i"], "make -i (or MAKEFLAGS)"),
    ],
    ids=str,
)
def test_what_cannot_be_is_a_sentence(words, said):
    done = subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr


@pytest.mark.parametrize("switch", ["OFFLINE", "KEEP", "AGAIN", "WATCH", "CLEAR", "FULL", "UPGRADE"])
def test_a_zero_is_a_no(switch):
    for target in sorted({*TARGETS} - {"help"}):
        call = ["-n", target, "ENV=demo", *NEEDS.get(target, [])]
        assert make(*call, f"{switch}=0").stdout == make(*call).stdout, target


@pytest.mark.parametrize("text", ["-x", "--help", "$(touch X)"])
@pytest.mark.parametrize(
    ("target", "switch"),
    [("preflight", "OUTPUT"), ("data-check", "FILE"), ("local-fault", "NAME"), ("torture", "ONLY")],
)
def test_what_looks_like_an_option_or_a_command_is_a_value(made, target, switch, text):
    done = made(target, "ENV=demo", f"{switch}={text}")
    assert not done.returncode and not (ROOT / "X").exists()
    assert any(shown in done.stdout for shown in (f"[--][{text}]", f"={text}]", f"[-k][{text}]")), done.stdout


@pytest.mark.parametrize("text", ["a=8; touch X", "a='b", "a=$(touch X)", "finetune.num_train_epochs=1;"])
def test_the_program_refuses_what_is_no_value(text):
    done = make("validate", "ENV=demo", f"SET={text}")
    assert done.returncode and "error: " in done.stderr and "Traceback" not in done.stderr
    assert not (ROOT / "X").exists()


def test_settings_of_python_pip_and_mlflow_do_not_reach_the_project_and_the_networks_do(made):
    done = made("gpu", "ENV=demo", **HOSTILE, **KEPT)
    _, *variables = done.stdout.splitlines()
    assert sorted(variables) == sorted(["PIP_USER=0", *(f"{name}={value}" for name, value in KEPT.items())])


@pytest.mark.parametrize("flags", ["-k", "-j8", "-s", "-kj4 --no-print-directory", "--warn-undefined-variables"])
@pytest.mark.parametrize("name", ["MAKEFLAGS", "GNUMAKEFLAGS"])
def test_flags_that_somebody_exports_do_no_harm(made, name, flags):
    assert "[scripts.validate]" in made("validate", "ENV=demo", **{name: flags}).stdout


@pytest.mark.parametrize("name", ["MAKEFLAGS", "GNUMAKEFLAGS"])
@pytest.mark.parametrize("flags", ["ENV=prod", "-j8 -- ENV=prod", "-k KEEP=1"])
def test_a_switch_that_somebody_exports_in_them_is_refused(made, name, flags):
    done = made("validate", "ENV=demo", **{name: flags})
    assert done.returncode == 2 and f"{flags.split()[-1]}: your shell exports it in MAKEFLAGS" in done.stderr


def test_a_make_that_another_one_starts_has_its_switches(tmp_path):
    (tmp_path / "Makefile").write_text(f"all:\n\t@$(MAKE) -C {ROOT} help\n")
    assert "Now: ENV=prod BACKEND=azure." in make("ENV=prod", cwd=tmp_path).stdout


def test_with_k_too_nothing_is_begun_after_a_goal_that_failed(made, tmp_path):
    (tmp_path / "shows").write_text('#!/bin/sh\necho "$@"; case "$*" in *" compute") exit 1;; esac\n')
    done = made("-k", "compute", "undeploy", "finetune", "ENV=demo")
    assert done.returncode == 2 and done.stdout.count("\n") == 1, done.stdout


@pytest.mark.parametrize("python", ["no-such-python", "false", "/it's/not there"])
def test_without_a_python_the_sentence_names_the_switch(tmp_path, python):
    command = ["make", "gpu", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"error: PYTHON={python}: is no Python 3.11 or newer" in done.stderr
    assert "PYTHON=/path/to/python" in done.stderr and done.stdout == ""


PRETENDS = """#!/bin/sh
case "$*" in
  "-c "*) exec {real} -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2";;
  "-m venv "*) echo "$0" >> {made}; exit 3;;
esac
exit 1
"""


@pytest.mark.parametrize(
    ("pythons", "taken"),
    [
        ({"python3": (3, 12, 1), "python3.13": (3, 13, 0)}, "python3.13"),
        ({"python3": (3, 12, 1)}, "python3"),
        (
            {"python3.11": (3, 10, 0), "python3.12": (3, 12, 1), "python3": (3, 11, 1)},
            "python3.12",
        ),  # a link gone astray
        ({"python3": (3, 14, 0)}, ""),
        ({"python3": (3, 10, 0)}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_first_python_that_fits_is_taken(tmp_path, pythons, taken):
    path, made = tmp_path / "bin", tmp_path / "made"
    path.mkdir()
    for program in ("sh", "sed", "awk", "env", "tr", "touch"):
        (path / program).symlink_to(shutil.which(program))
    for name, version in pythons.items():
        (path / name).write_text(PRETENDS.format(version=version, made=made, real=sys.executable))
        (path / name).chmod(0o700)
    command = [shutil.which("make"), "gpu", f"VENV={tmp_path}/venv"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": str(path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert (
        [Path(line).name for line in made.read_text().splitlines() if taken] == [taken] if taken else not made.exists()
    )
    said = "error: no Python 3.11 to 3.13 was found (python3.11 python3.12 python3.13 python3)"
    assert (said in done.stderr) == (not taken), done.stderr


def test_a_clone_may_lie_anywhere(tmp_path):
    project = tmp_path / 'my clone\'s "ü" $x'
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "data", "runs"))
    done = make("render", "validate", "ENV=demo", cwd=project)
    assert done.returncode == 0 and "demo: 6 files, no faults" in done.stdout, done.stderr
