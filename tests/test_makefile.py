"""The Makefile: short recipes, help for every target, and nothing run just to print the help."""

import re
import runpy
import subprocess
import sys

import pytest

from scripts.files import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    target = ""
    for line in MAKEFILE.splitlines():
        if line.startswith("\t"):
            found[target].append(line)
        elif match := re.match(r"^([^\s#=:][^=:]*):(?!=)", line):
            target = match[1]
            found.setdefault(target, [])
    return found


def test_a_recipe_has_at_most_three_lines():
    assert {target: len(lines) for target, lines in recipes().items() if len(lines) > 3} == {}


def test_every_target_of_a_user_is_phony_and_helped():
    phony = set(re.search(r"\.PHONY:((?:.*\\\n)*.*)", MAKEFILE)[1].replace("\\\n", " ").split())
    helped = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M))
    assert helped <= phony
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in helped:
        assert f"  {target} " in done.stdout, target


def test_help_fits_a_terminal():
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert " ".join(done.stdout.split()).count("OFFLINE=1 without an account; OUTPUT=json; JUNIT=<file>") == 1


def test_help_starts_no_other_program_than_awk():
    command = ["make", "-n", "--no-print-directory"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.splitlines()} == {"awk", "printf"}


def test_what_is_deleted_is_confirmed_beforehand():
    texts = [MAKEFILE, *(path.read_text(encoding="utf-8") for path in (ROOT / "scripts" / "chain").glob("*.py"))]
    lines = [line for text in texts for line in text.splitlines()]
    # az monitor autoscale rule delete asks nothing: it has no --yes
    deletes = [line for line in lines if re.search(r'\$\(az\) ml \S+ delete|(?<!"rule", )"delete",', line)]
    assert len(deletes) >= 3
    assert all("--yes" in line for line in deletes)


@pytest.mark.parametrize(("words", "option", "given"), [
    ("promote BACKEND=azure", "--commit", True),
    ("promote BACKEND=azure COMMIT=0", "--commit", False),
    ("promote BACKEND=local", "--commit", False),  # a version's number there is none of Azure's
    ("promote BACKEND=local COMMIT=1", "--commit", True),
    ("deploy BACKEND=azure", "--stand-in", False),
    ("deploy BACKEND=local", "--stand-in", True),
    ("finetune BACKEND=azure", "--other-data", False),
    ("finetune BACKEND=azure DATASET=my.jsonl", "--other-data", True),
])  # fmt: skip
def test_what_depends_on_the_backend_is_an_option(words, option, given):
    command = ["make", "-n", "--no-print-directory", "ENV=prod", *words.split()]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (f" {option}" in shown) == given


def test_the_constraints_can_be_written_after_a_pin_was_changed():
    """What is installed meets the old ones: nobody could write new ones if it had to be installed anew before."""
    rule = re.search(r"^constraints:(.*?)##", MAKEFILE, re.M)
    assert rule and rule[1].strip() == ""


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")  # another program imports it
@pytest.mark.parametrize("name", sorted(set(re.findall(r"-m (scripts[a-z._]*)", MAKEFILE)) - {"scripts.az_ml"}))
def test_the_usage_of_what_it_calls_fits_a_terminal(name, monkeypatch, capsys):
    """The sentence below it may be longer, as every one of an error may: a terminal folds it. 2 means changes there."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", [name, "--no-such"])
    for stream in ("stdout", "stderr"):  # which a program puts others in front of
        monkeypatch.setattr(sys, stream, getattr(sys, stream))
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(name, run_name="__main__")
    *usage, sentence = capsys.readouterr().err.splitlines()
    compares = name in ("scripts.plan", "scripts.provenance", "scripts.review")
    assert caught.value.code == (1 if compares else 2) and ": error: " in sentence
    assert usage[0].startswith(f"usage: python -m {name}") and max(map(len, usage)) <= 80
