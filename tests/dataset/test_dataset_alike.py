"""Alike conversations: what is found, what is not, what is removed, and on which side of a cut it lands."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.dataset import duplicates
from scripts.dataset.alike import NEAR, QUESTION, likeness, talk
from scripts.dataset.duplicates import Table
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.errors import UserError

Messages = list[dict[str, str]]
TESTED = 40
OTHER = str.maketrans({".": "!", "?": " ...", ",": ";"})
NONE = str.maketrans("", "", string.punctuation)
LOOKED_FOR = ("duplicate", "near_duplicate", "leak", "near_leak", "shared_question")
NAMED = {"train": "train", "validation": 0.1, "test": "test"}
CUT = {"train": None, "validation": 0.1, "test": 0.3}


def said(*texts: str) -> Messages:
    return [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(texts)]


def prepared(source: Path, folder: Path, splits: dict[str, Any]) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Returns what was found, by check, and the conversations of every output file."""
    given = {"source": str(source), "splits": splits, "max_left_out": 100, "checks": {"few_rows": "keep"}}
    settings = from_values({"dataset": given})
    code, manifest, _ = prepare(settings, folder, say=lambda line: None, stream=None)
    assert code == 0
    found = {each["name"]: each["count"] for each in manifest["checks"] if each["name"] in LOOKED_FOR and each["count"]}
    files = {
        part: {json.dumps(json.loads(line)["messages"]) for line in (folder / f"{part}.jsonl").open("rb")}
        for part in ("train", "validation", "test")
    }
    return found, files


def write(path: Path, rows: list[Messages]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return path


def demo() -> list[Messages]:
    folder = Path(__file__).resolve().parents[2] / "scripts" / "catalog" / "demo"
    rows = [json.loads(line)["messages"] for line in (folder / "train_sft.jsonl").open("rb")]
    return [said(*[each["content"] for each in row if each["role"] != "system"]) for row in rows]


def questions_with_one_word_answers() -> list[Messages]:
    things = "cat dog apple river mountain lawyer printer guitar violin teacher doctor garden bread window".split()
    actions = "clean describe repair paint draw sell buy carry build compare measure".split()
    rows = [said(f"How do I {action} a {thing}, step by step?", "Slowly.") for action in actions for thing in things]
    random.Random(1).shuffle(rows)
    return rows


def products(count: int) -> list[Messages]:
    generator, rows = random.Random(3), {}
    while len(rows) < count:
        one, other = generator.randint(1, 500) / generator.choice((1, 10, 100)), generator.randint(1, 300)
        sign, result = generator.choice((("*", one * other), ("+", one + other), ("-", one - other)))
        rows[f"What is {one:g} {sign} {other}?"] = f"{result:g}"
    return [said(*row) for row in rows.items()]


def expressions(count: int) -> list[str]:
    forms = ["{}*{}", "{}+{}", "{}-{}", "{}/{}", "{}**{}", "{} = {}[i]", "{} == {}", "{} != {}", "{}({})", "{}[{}]",
             "{}.{}", "{} < {}", "{} <= {}"]  # fmt: skip
    made = [form.format(one, other) for form in forms for one in "abcxyzABCXYZ" for other in "abcxyzABCXYZ"]
    random.Random(2).shuffle(made)
    return made[:count]


def on(row: Messages, change: Callable[[str], str], *places: int) -> Messages:
    """Changes some messages of a row, or all."""
    picked = {at % len(row) for at in places} or {*range(len(row))}
    return [{**each, "content": change(each["content"])} if at in picked else each for at, each in enumerate(row)]


def with_a_word(text: str) -> str:
    words = text.split(" ")
    words.insert(len(text) % (len(words) + 1), "really")
    return " ".join(words)


CHANGES: dict[str, Callable[[Messages], Messages]] = {
    "a word in the question": lambda row: on(row, with_a_word, 0),
    "a word in the answer": lambda row: on(row, with_a_word, 1),
    "a word at the end": lambda row: on(row, with_a_word, -1),
    "a word in every message": lambda row: on(row, with_a_word),
    "a system prompt": lambda row: [{"role": "system", "content": "You are helpful, and you answer briefly."}, *row],
    "two turns more": lambda row: row + said("Thank you, is there anything else?", "No, that is all."),
    "two turns before": lambda row: said("Good morning, may I ask something?", "Of course.") + row,
    "capitals": lambda row: on(row, str.upper),
    "other punctuation": lambda row: on(row, lambda text: text.translate(OTHER)),
    "no punctuation": lambda row: on(row, lambda text: text.translate(NONE)),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rows", [demo, questions_with_one_word_answers, lambda: products(200)],
                         ids=["demo", "one-word", "products"])  # fmt: skip
def test_a_changed_copy_of_a_test_row_is_found(tmp_path: Path, rows: Callable[[], list[Messages]], change: str) -> None:
    made = rows()
    tests, others = made[:TESTED], made[TESTED:150]
    copies = [CHANGES[change](row) for row in tests]
    write(tmp_path / "set" / "test.jsonl", tests)
    write(tmp_path / "set" / "train.jsonl", others[:50] + copies + others[50:])
    found, files = prepared(tmp_path / "set", tmp_path / "named", NAMED)
    assert sum(found.get(name, 0) for name in LOOKED_FOR[2:]) >= 38
    left = sum(json.dumps(copy) in files["train"] | files["validation"] for copy in copies)
    assert left <= 2 or (change == "no punctuation" and "shared_question" in found)
    for order in (tests + others + copies, copies + others + tests):
        _, files = prepared(write(tmp_path / "one.jsonl", order), tmp_path / "cut", CUT)
        for row, copy in zip(tests, copies, strict=True):
            sides = {part for part, kept in files.items() if json.dumps(row) in kept or json.dumps(copy) in kept}
            assert len(sides) == 1


@pytest.mark.parametrize(
    "rows",
    [
        products(3000),
        [said(each, "An expression.") for each in expressions(1600)],
        [said(f"What does `{each}` do?", "It computes something.") for each in expressions(1600)],
        [said(f"Write expression number {at}.", each) for at, each in enumerate(expressions(1600))],
        questions_with_one_word_answers(),
    ],
    ids=["products", "code", "questions about code", "answers with code", "one-word answers"],
)
def test_rows_that_differ_in_numbers_operators_or_case_are_kept(tmp_path: Path, rows: list[Messages]) -> None:
    found, files = prepared(write(tmp_path / "rows.jsonl", rows), tmp_path / "cut", CUT)
    assert sum(map(len, files.values())) >= len(rows) - 3 and sum(found.values()) <= 3
    write(tmp_path / "set" / "test.jsonl", rows[: len(rows) // 10])
    write(tmp_path / "set" / "train.jsonl", rows[len(rows) // 10 :])
    found, files = prepared(tmp_path / "set", tmp_path / "named", NAMED)
    assert sum(map(len, files.values())) >= len(rows) - 3 and found.get("near_leak", 0) <= 3


FRANCE = ("What is the capital of France?", "It is Paris.")
MANUAL = (
    "Which steps does the manual ask for?",
    "First open the lid, then take out the tray, clean it with a dry cloth, put it back until it clicks, and close the "
    "lid again before you start.",
)
DOCS = (
    "What does the method `Decimal.normalize()` do with a number that ends with zeros, and is the result always equal?",
    "`Decimal.normalize()` strips the zeros on the right, so that equal numbers of a Context are written alike.",
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (FRANCE, ("what is the capital of France, please", "It is Paris"), NEAR),
        (FRANCE, ("What is the capital of Spain?", "It is Madrid."), None),
        (FRANCE, ("What is the capital of France?", "A city on the Seine, as everybody ought to know."), QUESTION),
        (FRANCE, ("What is the capital of France?",), NEAR),
        (MANUAL, ("Please answer by the book: which steps does the manual ask for?", MANUAL[1]), NEAR),
        (MANUAL, ("Why does it rain?", MANUAL[1]), None),
        (("What is 12.5 * 3?", "37.5"), ("What is 125 * 3?", "375"), None),
        (("What is 3 + 5?", "8"), ("What is 3 - 5?", "-2"), None),
        (("Explain a*b to me.", "A product."), ("Explain A*b to me.", "A product."), QUESTION),
        (("EXPLAIN A*B TO ME.", "A product."), ("Explain a*b to me.", "A product."), NEAR),
        (DOCS, (DOCS[0].lower(), DOCS[1].lower()), NEAR),
        (("Hello, how are you?", "Fine.", "What is two and two?", "It is four."),
         ("Hello, how are you?", "Fine.", "Who wrote Faust?", "It was Goethe."), QUESTION),
        (("Who wrote Faust?", "It was Goethe.", "Thank you!", "You are welcome."),
         ("How old is the sun?", "Billions of years.", "Thank you!", "You are welcome."), None),
        (("什么是机器学习\uff1f", "它是人工智能的一个分支。"), ("什么是机器学习", "它是人工智能的一个分支"), NEAR),
        (("Hi", "Hello! What can I do?"), ("Hi", "Good evening, and who are you?"), None),
    ],
)  # fmt: skip
def test_likeness(one: tuple[str, ...], other: tuple[str, ...], expected: str | None) -> None:
    pair = [talk(("user", "assistant", "user", "assistant")[: len(texts)], texts) for texts in (one, other)]
    assert likeness(*pair) == likeness(*pair[::-1]) == expected


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda text: text.replace(" is", "  is").replace("= ", "=   "), True),
        (lambda text: text + " \n", True),
        (lambda text: text.replace("\n", " \r\n"), True),
        (lambda text: text.replace("\u00e9", "e\u0301"), True),
        (lambda text: text.replace("    a", "  a"), False),
        (lambda text: text.replace("+", "-"), False),
        (lambda text: text.replace("1", "2"), False),
        (lambda text: text.replace("x", "X"), False),
        (lambda text: text.replace("\n", " "), False),
    ],
)
def test_what_a_reader_takes_for_the_same_is_removed(
    tmp_path: Path, change: Callable[[str], str], is_same: bool
) -> None:
    row = said("Is this caf\u00e9 code right?\nif x:\n    a = x + 1", "Yes, it is right.")
    others = [said(f"Which number follows {number}?", f"{number + 1}") for number in range(100)]
    found, _ = prepared(write(tmp_path / "a.jsonl", [row, *others, on(row, change)]), tmp_path / "out", CUT)
    assert found.get("duplicate", 0) == is_same


@pytest.mark.parametrize("key", ["tools", "system"])
def test_other_tools_or_another_system_prompt_make_another_row(tmp_path: Path, key: str) -> None:
    row = said("What is the weather like in Bonn?", "It rains.")
    rows = [{"messages": said(f"Which number follows {number}?", f"{number + 1}")} for number in range(100)]
    for each in ("one", "two"):
        tool = {"type": "function", "function": {"name": each}}
        system = [{"role": "system", "content": each}]
        rows.append({"messages": row, "tools": [tool]} if key == "tools" else {"messages": system + row})
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    assert prepared(path, tmp_path / "out", CUT)[0] == {"near_duplicate": 1}


def test_the_same_question_is_on_one_side_whatever_its_answers(tmp_path: Path) -> None:
    words = ("A", "No, B", "See")
    rows = [said(f"What would you say about number {at}?", f"{word} {at}") for word in words for at in range(200)]
    random.Random(4).shuffle(rows)
    _, files = prepared(write(tmp_path / "a.jsonl", rows), tmp_path / "out", CUT)
    asked = [{json.loads(row)[0]["content"] for row in kept} for kept in files.values()]
    assert sum(map(len, asked)) == 200 and all(asked)


def test_a_table_of_any_size_knows_the_first_of_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "FIRST_SLOTS", 256)
    generator = np.random.default_rng(1)
    keys = generator.integers(0, 2**63, 5_000, dtype=np.uint64)
    table, bounded, known = Table(), Table(3), dict[int, int]()
    for start in range(0, 20_000, 997):
        drawn = keys[generator.integers(0, len(keys), 997)]
        numbers = np.arange(start, start + 997, dtype=np.uint64)
        expected = [known.setdefault(key, start + at) for at, key in enumerate(drawn.tolist())]
        assert table.first(drawn, numbers).tolist() == expected
        some = bounded.first(drawn, numbers)
        assert np.all((some == np.array(expected, np.uint64)) | (some > np.array(expected, np.uint64)))
    assert np.mean(bounded.first(keys, np.full(len(keys), 2**31, np.uint64)) < 20_000) > 0.3


def test_a_full_table_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", products(300))
    monkeypatch.setattr(duplicates, "FIRST_SLOTS", 256)
    for most, is_full in ((1, True), (5, False)):
        monkeypatch.setattr(duplicates, "MOST_GENERATIONS", most)
        settings = from_values({"dataset": {"source": str(path), "splits": CUT}})
        _, manifest, _ = prepare(settings, tmp_path / str(most), say=lambda line: None, stream=None)
        told = {each["name"] for each in manifest["checks"] if "the table of these was full" in each["looked_at"]}
        assert told == ({"near_duplicate", "near_leak", "shared_question"} if is_full else set())


def test_a_disk_without_room_for_the_texts_that_are_compared_is_a_sentence(tmp_path: Path) -> None:
    talks = [talk(("user", "assistant"), FRANCE)]
    seen = duplicates.Seen()
    full = "no space is left on the disk; make room and run this again"
    with Path("/dev/full").open("wb", buffering=0) as seen._file, pytest.raises(UserError, match=full):
        seen.add([0], [1], talks)


def test_a_question_stays_on_one_side_where_one_row_that_asks_it_is_like_another(tmp_path: Path) -> None:
    answer = "First open the lid, then take out the tray, clean it with a dry cloth, and put it back until it clicks."
    rows = []
    for at in range(100):
        name = "".join("abcdefghij"[int(digit)] for digit in f"{at:03}")
        tell = f"Tell me which steps does the manual of {name} ask for, in order and without any others"
        rows += [
            said(f"Which steps does the manual of {name} ask for?", f"Of {name}: {answer}"),
            said(tell, "None that I would know of."),
            said(tell, f"Of {name}: {answer}"),
        ]
    _, files = prepared(write(tmp_path / "a.jsonl", rows), tmp_path / "out", CUT)
    asked = [{json.loads(row)[0]["content"] for row in kept} for kept in files.values()]
    told = [{question for question in some if question.startswith("Tell")} for some in asked]
    assert sum(map(len, told)) == len(set.union(*told)) == 100
