"""Every check finds what it is for, names it, and does what its policy says."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset.check_files import check_files
from scripts.dataset.checks import CHECKS, role_findings
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.errors import UserError


def talk(*contents: str, roles: tuple[str, ...] = ("user", "assistant")) -> dict[str, Any]:
    return {"messages": [{"role": roles[at % len(roles)], "content": text} for at, text in enumerate(contents)]}


GOOD = [talk(f"What is {number} times {number}, in full words please?", f"{number * number}.") for number in range(200)]
BAD: dict[str, Any] = {
    "json": '{"messages": [{"role": "user", "con',
    "encoding": '{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "x"}]}',
    "schema": {"messages": [{"role": "user", "content": ["no", "text"]}, {"role": "assistant", "content": "x"}]},
    "media": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is to be seen?"},
                                                        {"type": "image_url", "image_url": {"url": "a.png"}}]},
                           {"role": "assistant", "content": "A house."}]},
    "label": {"prompt": "Which answer is a bad one?", "completion": "This one.", "label": False},
    "weight": {"messages": [{"role": "user", "content": "Is this to be learned?"},
                            {"role": "assistant", "content": "No.", "weight": 0}]},
    "unanswered": talk("Do you answer me, please?", "Yes.", "Always?"),
    "control_tokens": talk("Whose turn is it now?<|im_end|>", "Mine."),
    "role": talk("Who are you, in one sentence?", "A model.", roles=("user", "robot")),
    "system_first": {"messages": [*talk("Who speaks here, you or I?", "Both.")["messages"],
                                  {"role": "system", "content": "Hi"}]},
    "order": talk("Do I speak first in this one?", "I do.", roles=("assistant", "user")),
    "single_message": talk("Is anybody there to answer me?"),
    "no_assistant": talk("Is anybody there at all?", "Hello?", roles=("user", "user")),
    "empty_content": talk("What do you say when asked nothing?", " \n"),
    "control": talk("What rings the bell here?", "This: \x07."),
    "garbled": talk("What was lost in here, do you know?", "An \ufffd."),
    "duplicate": GOOD[0],
    "near_duplicate": talk("what is 0 times 0 in full words, PLEASE!", "0"),
    "secret": talk("Which key opens it, the long one?", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH is it."),
    "email": talk("Where do I write to, exactly?", "To jane.doe@example.com, always."),
    "too_long": talk("How long is too long for you?", "word " * 4000),
}  # fmt: skip


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def run(source: Path, folder: Path, **dataset: Any) -> tuple[int, dict[str, Any]]:
    dataset.setdefault("splits", {"train": None, "validation": 0.1, "test": 0.1})
    settings = from_values({"dataset": {"source": str(source), **dataset}, "finetune": {"max_seq_length": 2048}})
    code, manifest, _ = prepare(settings, folder, say=lambda line: None, stream=None)
    return code, manifest


def outcome(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in manifest["checks"] if each["name"] == name)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_found_named_and_treated_by_its_policy(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "rows.jsonl", [*GOOD, BAD[name]])
    for policy in CHECKS[name].allowed:
        if name == "too_long" and policy == "drop":
            continue
        out = tmp_path / policy
        code, manifest = run(source, out, checks={name: policy})
        found = outcome(manifest, name)
        assert found["count"] == 1
        example = found["examples"][0]
        assert (example["file"], example["row"]) == ("rows.jsonl", "line 201")
        assert example["found"] and example["expected"] and example["fix"]
        read = manifest["read"]["rows"]
        assert read["in"] == 201
        if policy == "fail":
            assert (
                code == 1 and found["status"] == "fail" and [each.name for each in out.iterdir()] == ["not-ready.html"]
            )
        elif policy == "keep":
            others = [each for each in manifest["checks"] if each["count"] and each["policy"] != "keep"]
            assert code == 0 and read["kept"] == 201 - bool(others)
        else:
            assert code == 0 and found["status"] == "warn" and sum(read["dropped"].values()) == 1


def test_dropping_long_rows_needs_exact_counts_and_then_does_it(tmp_path: Path, small_tokenizer: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [*GOOD, BAD["too_long"]])
    with pytest.raises(UserError, match="tokens: exact"):
        run(source, tmp_path / "a", checks={"too_long": "drop"})
    _, manifest = run(
        source, tmp_path / "b", checks={"too_long": "drop"}, tokens="exact", tokenizer=str(small_tokenizer)
    )
    assert manifest["read"]["rows"]["dropped"] == {"too_long": 1}
    assert manifest["files"]["train"]["tokens"]["how"] == "exact"


def test_secrets_and_addresses_are_never_shown_in_full(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [*GOOD, BAD["secret"], BAD["email"]])
    _, manifest = run(source, tmp_path / "out", checks={"secret": "drop", "email": "drop"})
    shown = json.dumps(manifest) + (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "abcdefghijklmnop" not in shown and "jane.doe" not in shown and "example.com" not in shown


@pytest.mark.parametrize(
    ("secret", "name"),
    [
        ("AKIA" + "Q3EG" * 4, "AWS"),
        ("ghp_" + "a1B2" * 9, "GitHub"),
        ("sk-proj-" + "a1B2" * 8, "OpenAI"),
        ("AIza" + "a" * 35, "Google"),
        ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + "Zm9v" * 20 + "==", "Azure"),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIE" * 16 + "\n", "private key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklm", "JSON web"),
        ("https://x.blob.core.windows.net/c/b?sv=2022&sig=" + "abcDEF%2F" * 6, "signed"),
    ],
)
def test_secrets_are_recognised_wherever_they_stand(tmp_path: Path, secret: str, name: str) -> None:
    for before in ("", "a", "it is ", "sieh é: "):
        rows = [*GOOD[:20], talk("Which one is it again?", f"{before} {secret} and so on"), *GOOD[20:40]]
        verdict = check_files(from_values({}), [str(write(tmp_path / "rows.jsonl", rows))], stream=None)
        assert name in outcome(verdict, "secret")["examples"][0]["found"]


def test_ordinary_long_words_are_no_secrets(tmp_path: Path) -> None:
    rows = [
        *GOOD,
        talk(
            "Donaudampfschifffahrtsgesellschaftskapitän?", "https://learn.microsoft.com/en-us/azure/machine-learning/"
        ),
    ]
    verdict = check_files(from_values({}), [str(write(tmp_path / "rows.jsonl", rows))], stream=None)
    assert outcome(verdict, "secret")["count"] == 0


def test_leaks_leave_training_and_stay_in_the_test(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "train_sft.jsonl", GOOD)
    near = talk("what is 7 times 7 -- in full words, please", "49")
    near["messages"][0]["content"] = GOOD[7]["messages"][0]["content"].upper()
    write(folder / "test_sft.jsonl", [GOOD[3], near, talk("A question of the test alone?", "Yes.")])
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft"}
    _, manifest = run(folder, tmp_path / "out", splits=splits)
    assert manifest["read"]["train_sft"]["dropped"] == {"leak": 1, "near_leak": 1}
    assert manifest["files"]["test"]["rows"] == 3
    assert "test_sft.jsonl line 1" in outcome(manifest, "leak")["examples"][0]["found"]


def test_operators_make_a_difference(tmp_path: Path) -> None:
    rows = [talk(f"How much is 3{sign}5, and how do you know it?", "Let me count.") for sign in "+-/"]
    verdict = check_files(
        from_values({"dataset": {"checks": {"few_rows": "keep"}}}),
        [str(write(tmp_path / "a.jsonl", rows))],
        stream=None,
    )
    assert outcome(verdict, "near_duplicate")["count"] == 0


def test_accents_and_case_of_other_alphabets_do_not(tmp_path: Path) -> None:
    rows = [
        *GOOD,
        talk("Ça va très bien, n\u2019est-ce pas, mon ami?", "ДА"),
        talk("ça va TRÈS bien n'est-ce pas mon ami", "да"),
    ]
    verdict = check_files(from_values({}), [str(write(tmp_path / "a.jsonl", rows))], stream=None)
    assert outcome(verdict, "near_duplicate")["count"] == 1


def test_held_out_questions_need_no_answer(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "train_sft.jsonl", GOOD)
    write(folder / "test_sft.jsonl", [talk("Only a test?", "Only a test.")] * 1)
    write(folder / "test_gen.jsonl", [talk("What would you say to that?")])
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft", "heldout": "test_gen"}
    _, manifest = run(folder, tmp_path / "out", splits=splits)
    assert manifest["files"]["heldout"]["rows"] == 1


def test_too_few_training_rows_fail(tmp_path: Path) -> None:
    code, manifest = run(
        write(tmp_path / "rows.jsonl", GOOD[:11]),
        tmp_path / "out",
        splits={"train": None, "validation": 0.3, "test": 0.3},
    )
    assert code == 1 and outcome(manifest, "few_rows")["status"] == "fail"


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        ("user assistant", ""), ("system user assistant user assistant", ""),
        ("user assistant tool tool assistant", ""),
        ("user user assistant", "order"), ("user tool assistant", "order"), ("system", "single_message order"),
        ("system system user assistant", "system_first"), ("user assistant assistant", "order"),
    ],
)  # fmt: skip
def test_orders_of_roles(roles: str, names: str) -> None:
    found = {finding.check for finding in role_findings(tuple(roles.split()), True)}
    assert found - {"no_assistant"} <= set(names.split()) and bool(found) == bool(names)


def test_a_check_as_it_stands_fails_where_prepare_would_drop(tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", GOOD)
    bad = write(tmp_path / "bad.jsonl", [*GOOD[100:], BAD["order"]])
    assert check_files(from_values({}), [str(good)], stream=None)["status"] == "pass"
    assert check_files(from_values({}), [str(bad)], stream=None)["status"] == "fail"
    both = check_files(from_values({}), [str(good), str(bad)], stream=None)
    assert outcome(both, "leak")["count"] == 100


def test_a_file_is_checked_once_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.jsonl", GOOD)
    for again in ("./good.jsonl", str(tmp_path), str(tmp_path / "good.jsonl")):
        with pytest.raises(UserError, match="given twice"):
            check_files(from_values({}), ["good.jsonl", again], stream=None)
    with zipfile.ZipFile("both.zip", "w") as archive:  # two files at one path
        for name, rows in (("train.jsonl.gz", GOOD[:50]), ("test.jsonl.gz", GOOD[50:])):
            archive.writestr(name, gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows)))
    verdict = check_files(from_values({}), ["both.zip"], stream=None)
    assert {split: rows["kept"] for split, rows in verdict["rows"].items()} == {"test": len(GOOD) - 50, "train": 50}
