"""What of `az` the project calls and names is what the official CLI accepts: tests/chain holds every call to it."""

import re
from pathlib import Path

import pytest

from scripts.az_ml import command_line, command_table
from scripts.errors import UserError, suggest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "a-variable"  # what a word is taken for whose value is known only when the line runs


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
    # Of the official CLI alone: a workspace, or a person's instance, that wants it is none of localhost's.
    named -= {"workspace update", "compute stop"}
    assert named - {"verbs that", "lines in"} <= set(command_table.commands())
