"""Every `az` line of the Makefile is one that the official CLI accepts."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.az_ml import command_line, command_table
from scripts.errors import UserError, suggest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "a-variable"  # what a word is taken for whose value is known only when the line runs


def az_lines(text):
    """Returns the words of every az command in shell text, wherever it stands: after `||`, in `$(…)`, in quotes."""
    text = text.replace("\\\n", " ").replace("$$", "$")
    return [
        shlex.split(segment(text, found.start(2))) for found in re.finditer(r"(^|[\s(;|&])az ((?=ml |account ))", text)
    ]


def segment(text, start):
    """One simple command from `start` to its end, with what the shell would put in as placeholders."""
    out, place, quote = [], start, ""
    while place < len(text):
        character = text[place]
        if character == "$" and text[place + 1 : place + 2] == "(":
            place = closing(text, place + 1)
            out.append(VARIABLE)
        elif character == "$" and (name := re.match(r"\$\w+", text[place:])):
            place += name.end() - 1
            out.append(VARIABLE)
        elif quote:
            quote = "" if character == quote else quote
            out.append(character)
        elif character in "'\"":
            quote = character
            out.append(character)
        elif character in "\n;|&)<>" or re.match(r"\s\d?>", text[place:]):
            break
        else:
            out.append(character)
        place += 1
    return "".join(out)


def closing(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise AssertionError(f"unbalanced: {text[start:]}")


def faults(words):
    """What the official CLI would refuse in a command line, as sentences.

    Stricter than its parser in one thing: an abbreviated option is refused, since the next official option with the
    same beginning makes it ambiguous. A verb that is a variable has to be right for `create` and for `update`.
    """
    if VARIABLE in words[:3]:
        place = words.index(VARIABLE)
        return [fault for verb in ("create", "update") for fault in faults([*words[:place], verb, *words[place + 1 :]])]
    try:
        command, rest = command_line.find_command(words)
        if command is None:
            return [f"`{' '.join(words)}` is not a command"]
        known = {name for option in (*command.options, *command_table.global_options()) for name in option.names}
        given = [word.split("=", 1)[0] for word in rest if word.startswith("--")]
        found = [
            f"{name} is not an option of {command.name}{suggest(name, known)}" for name in given if name not in known
        ]
        arguments, unknown = command_line.parser_of(command).parse_known_args(rest)
    except UserError as error:
        return [str(error)]
    found += [f"{word} belongs to no option of {command.name}" for word in unknown if not word.startswith("--")]
    missing = [option.long for option in command.options if option.required and getattr(arguments, option.key) is None]
    return found + [f"{command.name} needs {name}" for name in missing]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ml job show -n x -g rg -w ws --query status -o tsv", None),
        ("ml job cancel -n x -g rg -w ws --no-wait", "--no-wait is not an option of job cancel"),
        ("ml job show -n x -g rg", "job show needs --workspace-name"),
        ("ml online-deployment update -g rg -w ws -n d -e e --all-traffic", "--all-traffic is not an option"),
        ("ml job create --fil j.yml -g rg -w ws", "--fil is not an option of job create (did you mean '--file'?)"),
        ("ml data create -t nosuch -w ws", "'nosuch' is not a valid value"),
        ("ml job nosuch", "misspelled"),
        ("ml job show -n x y -g rg -w ws", "y belongs to no option"),
        (f"ml online-deployment {VARIABLE} -g rg -w ws", "online-deployment create needs --file"),
    ],
)
def test_the_checker_tells_right_from_wrong(line, fault):
    found = faults(line.split())
    assert (not found) if fault is None else any(fault in each for each in found), found


def test_az_commands_are_found_wherever_they_stand():
    text = """
    a; az ml job show -n x -o none 2>/dev/null || \\
      az ml job create -f "my job.yml" > out
    x=$$(az ml job list --query "[?name=='$(NAME)']") && echo "$$(az account show)" # az mlx
    python -m scripts.local run --env demo -- az ml model show -n m -v $$(cat a/b) --set a=$${x}
    """
    assert az_lines(text) == [
        ["ml", "job", "show", "-n", "x", "-o", "none"],
        ["ml", "job", "create", "-f", "my job.yml"],
        ["ml", "job", "list", "--query", f"[?name=='{VARIABLE}']"],
        ["account", "show"],
        ["ml", "model", "show", "-n", "m", "-v", VARIABLE, "--set", "a=${x}"],
    ]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(("environment", "backend"), [("dev", "azure"), ("demo", "local"), ("prod", "azure")])
def test_the_makefile_uses_official_commands_and_options_only(environment, backend):
    targets = ["data", "compute", "finetune", "register", "deploy", "invoke", "undeploy", "data-report"]
    made = subprocess.run(
        ["make", "-n", *targets, f"ENV={environment}", f"BACKEND={backend}", "AZ=az", f"PY={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    lines = az_lines(made.stdout)
    assert not {fault for line in lines for fault in faults(line)}
    written = set(re.findall(r"\$\(az\) ml ([\w-]+) ([\w-]+)", (ROOT / "Makefile").read_text()))
    assert written and written <= {(line[1], line[2]) for line in lines}  # no line of the Makefile escaped the check


def test_a_command_that_a_sentence_of_the_project_names_is_there():
    texts = [
        ROOT / "README.md",
        ROOT / "values.yaml",
        ROOT / "scripts/local/README.md",
        *(ROOT / "scripts").rglob("*.py"),
    ]
    named = {
        found
        for path in texts
        for found in re.findall(r"\baz ml ([a-z]+(?:-[a-z]+)* [a-z]+(?:-[a-z]+)*)", path.read_text())
    }
    assert len(named) > 8
    named -= {"workspace update"}  # of the official CLI alone: a workspace that wants it is none of localhost's
    assert named - {"verbs that", "lines in"} <= set(command_table.commands())
