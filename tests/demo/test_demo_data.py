"""The demo's data set: answers as its README defines them, commands that exist, no twins, no give-away words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.azure.catalog import read_catalog
from scripts.dataset.__main__ import command_line
from scripts.dataset.facts_file import facts_of
from scripts.files import ROOT
from scripts.values import data_facts
from scripts.values.read import load

FOLDER = ROOT / "scripts" / "catalog" / "demo"
TRAINED, HELD_OUT = ("train_sft", "train_gen"), ("test_sft", "test_gen")
SYSTEM = "Triage to JSON: area (job compute endpoint data cost access), urgency (high normal low), next."

Messages = list[dict[str, str]]


def read(*splits: str) -> list[Messages]:
    """Returns the conversations of some splits."""
    lines = (line for name in splits for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
    return [json.loads(line)["messages"] for line in lines]


def triaged(rows: list[Messages]) -> list[Messages]:
    """Returns those that are triage; the others are general questions."""
    return [row for row in rows if row[0]["role"] == "system"]


def answers(rows: list[Messages]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields all that the user has said before each answer of a triage, and the answer."""
    for row in triaged(rows):
        said = []
        for message in row[1:]:
            if message["role"] == "user":
                said.append(message["content"])
            else:
                yield "\n".join(said), json.loads(message["content"])


def questions(rows: list[Messages]) -> list[str]:
    """Returns what users say."""
    return [message["content"] for row in rows for message in row if message["role"] == "user"]


def words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without the punctuation around them."""
    return re.findall(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?", text.lower())


@pytest.fixture(scope="module")
def rows() -> list[Messages]:
    """Every conversation."""
    return read(*TRAINED, *HELD_OUT)


@pytest.fixture(scope="module")
def commands() -> dict[str, set[str]]:
    """The commands of each area, from the table in the data set's README."""
    found: dict[str, set[str]] = {}
    for area, command in re.findall(r"^\| (\w+) \|.*\| `([^`]+)` \|$", (FOLDER / "README.md").read_text(), re.M):
        found.setdefault(area, set()).add(command)
    return found


def test_sizes_of_the_splits() -> None:
    count = {name: len(triaged(read(name))) for name in (*TRAINED, *HELD_OUT)}
    assert 400 <= count["train_sft"] <= 480 and count["test_sft"] >= 50 and count["test_gen"] >= 10
    assert 20 <= len(read("train_sft")) - count["train_sft"] <= 40, "general questions, so that they stay known"
    assert triaged(read(*HELD_OUT)) == read(*HELD_OUT), "what is general is measured with scripts/evaluate/general.json"


def test_a_row_is_the_system_prompt_or_none_and_then_question_and_answer(rows: list[Messages]) -> None:
    for row in rows:
        roles = [message["role"] for message in row]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns in (["user", "assistant"], ["user", "assistant"] * 2)
        assert roles[0] != "system" or row[0]["content"] == SYSTEM
        for message in row:
            assert set(message) == {"role", "content"} and message["content"] == message["content"].strip() != ""


def test_every_answer_is_one_line_of_json_with_closed_words(
    rows: list[Messages], commands: dict[str, set[str]]
) -> None:
    areas, urgencies = (group.split() for group in re.findall(r"\(([^)]*)\)", SYSTEM)[:2])
    assert list(commands) == areas
    for row in triaged(rows):
        for message in row:
            if message["role"] == "assistant":
                answer = json.loads(message["content"])
                assert message["content"] == json.dumps(answer) and list(answer) == [
                    "area",
                    "urgency",
                    "next",
                ]
                assert answer["urgency"] in urgencies and answer["next"] in commands[answer["area"]], answer


def test_every_value_is_trained_often_and_held_out() -> None:
    trained, held_out = ([answer for _, answer in answers(read(*splits))] for splits in (TRAINED, HELD_OUT))
    for field in trained[0]:
        often, seldom = (Counter(answer[field] for answer in group) for group in (trained, held_out))
        assert min(often.values()) >= 15 and set(often) == set(seldom), (field, often, seldom)


def test_commands_exist(commands: dict[str, set[str]]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    verbs = json.loads((ROOT / "scripts" / "az_ml" / "command_table.json").read_text(encoding="utf-8"))["ml"]
    for command in set().union(*commands.values()) - {"az login"}:  # az login: of the core of az
        program, *rest = command.split()
        if program == "make":
            assert rest[0] in targets, command
        else:
            assert program == "az" and rest[0] == "ml" and " ".join(rest[1:]) in verbs, command


def test_no_word_decides_a_value_alone() -> None:
    """No word is in most messages of a value and in next to none of the others."""
    said = [(set(words(text)), answer) for text, answer in answers(read(*TRAINED))]
    vocabulary = Counter(word for text, _ in said for word in text)
    for field in ("area", "urgency", "next"):
        for value in {answer[field] for _, answer in said}:
            right = [text for text, answer in said if answer[field] == value]
            for word in (word for word, times in vocabulary.items() if times >= 5):
                hits = sum(word in text for text in right)
                share = 2 * hits / (len(right) + vocabulary[word])  # F1 of "this word, therefore this value"
                assert share < 0.85, f"'{word}' alone says {field} {value}: {share:.2f}"


def test_nothing_is_said_twice(rows: list[Messages]) -> None:
    said = Counter(" ".join(words(text)) for text in questions(rows))
    assert [text for text, times in said.items() if times > 1] == []


def test_no_long_run_of_words_is_both_trained_and_held_out() -> None:
    def runs(rows: list[Messages]) -> dict[tuple[str, ...], str]:
        said = [(text, words(text)) for text in questions(rows)]
        return {tuple(each[at : at + 8]): text for text, each in said for at in range(len(each) - 7)}

    trained, held_out = runs(read(*TRAINED)), runs(read(*HELD_OUT))
    assert [(held_out[each], trained[each]) for each in set(trained) & set(held_out)] == []


def test_the_projects_own_checks_find_nothing_to_leave_out(tmp_path: Path) -> None:
    assert command_line(["prepare", "--env", "demo", "--folder", str(tmp_path)]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert [check["name"] for check in manifest["checks"] if check["status"] != "pass"] == []
    committed = (ROOT / data_facts.file_name("demo")).read_text(encoding="utf-8")
    prepared = data_facts.to_text(facts_of(load("demo"), manifest), "demo")
    assert committed == prepared, "make data ENV=demo writes today's data facts; render and commit both"


def test_no_training_row_asks_a_question_of_the_evaluation(rows: list[Messages]) -> None:
    asked = json.loads((ROOT / "scripts" / "evaluate" / "general.json").read_text(encoding="utf-8"))["questions"]
    assert not {" ".join(words(row["question"])) for row in asked} & {" ".join(words(text)) for text in questions(rows)}


def test_sizes_are_known_to_the_catalog(rows: list[Messages]) -> None:
    known = {each["name"].lower() for each in read_catalog("sizes.json")["sizes"]}
    known |= {
        str(each.get("default")).lower() for each in read_catalog("chat_completion_pipeline.json")["inputs"].values()
    }
    named = {name for text in questions(rows) for name in re.findall(r"standard_n\w+", text.lower())}
    assert len(named) >= 5 and named - known == set()
