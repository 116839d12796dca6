"""What preflight says of the prepared data as a whole: whose they are, what is missing, what was kept all the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.preflight.context import Kept, Prepared, read
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.preflight.conftest import finding, made

OWN = "HuggingFaceH4/ultrachat_200k"
FALLBACK = Prepared(OWN, "scripts/catalog/demo in place of a/b", "the hub does not answer", 100)
FILES = {"b.jsonl": "no part of dataset.splits takes 'b'", "README.md": "its name ends with no format that is read"}


def of(**words: Any) -> Prepared:
    return Prepared(OWN, **words)


def kept(**rows: int) -> Prepared:
    return of(rows_in=100, kept=tuple(Kept(name, count, "a.jsonl line 7") for name, count in rows.items()))


@pytest.mark.parametrize(
    ("check", "prepared", "status", "words"),
    [
        ("data-own", of(rows_in=100), PASS, "own source"),
        ("data-own", Prepared("my.jsonl", rows_in=100), WARN, "what was prepared is my.jsonl, not HuggingFaceH4/"),
        ("data-own", FALLBACK, WARN, "scripts/catalog/demo in place of a/b (the hub does not answer)"),
        ("data-left-out", of(rows_in=100, left_out={"order": 10}), PASS, "10 of 100"),
        ("data-left-out", of(rows_in=100, left_out={"order": 2, "json": 9}), WARN, "json 9, order 2"),
        ("data-content", kept(email=50, too_long=3), PASS, "no row was kept"),
        ("data-content", kept(unanswered=3, email=50), WARN, "unanswered 3"),
        ("data-content", kept(control_tokens=2), WARN, "control_tokens 2"),
        ("data-content", kept(weight=3, template=4), FAIL, "template 4"),
        ("data-content", of(kept=(Kept("calls_lost", 40, "", True),)), WARN, "calls_lost about 40"),
        ("data-unused", of(unused=FILES), PASS, "dataset.splits says which are"),
        ("data-unused", of(unused={"README.md": "no format"}), PASS, "1 file of other kinds not"),
        ("time-and-cost", of(rows_in=100), PASS, "USD"),
        ("time-and-cost", FALLBACK, PASS, "; data/reference only stands in (scripts/catalog/demo in place of a/b)"),
    ],
)
def test_what_is_said_of_the_prepared_data(check: str, prepared: Prepared, status: str, words: str) -> None:
    found = finding(check, made("reference", prepared=prepared))
    assert (found.status, words in found.sentence, bool(found.todo)) == (status, True, status != PASS), found


def test_data_of_other_values_are_no_data_of_these() -> None:
    where = made("reference", prepared=of(version="0123456789ab"))
    assert finding("data-own", dataclasses.replace(where, stale_version="abcdefabcdef")).status == PASS
    found = finding("data-own", dataclasses.replace(where, stale_version="0123456789ab"))
    assert found.status == WARN and "was prepared by other values than those of today" in found.sentence


def test_a_finding_tells_number_file_and_way_out() -> None:
    found = finding("data-content", made("reference", prepared=kept(unanswered=3, control_tokens=2)))
    assert found.details[0] == (
        "ends without an answer: 3, the first a.jsonl line 7; add the last answer, or remove the last question"
    )
    assert len(found.details) == 2
    found = finding("data-unused", made("reference", "dataset.splits.train=null", prepared=of(unused=FILES)))
    assert (
        found.status == WARN
        and "1 file of it" in found.sentence
        and found.details == ("b.jsonl: no part of dataset.splits takes 'b'",)
    )
    cut = made("reference", "finetune.max_seq_length=500", prepared=kept(too_long=30, email=2))
    assert [line[:58] for line in finding("sequence-length", cut).details] == [
        "longer than max_seq_length: 30, the first a.jsonl line 7; "
    ]


@pytest.mark.parametrize("check", ["data-own", "data-content", "data-left-out", "data-unused"])
def test_nothing_is_said_before_there_are_data(check: str) -> None:
    assert finding(check, made("reference", data={})).status == SKIPPED
    assert finding(check, made("reference", prepared=Prepared())).status == SKIPPED


def test_prepared_data_need_no_source() -> None:
    asked = made("demo", "dataset.source=x.jsonl", prepared=Prepared("x.jsonl"))
    assert finding("data-source", asked).status == PASS
    for prepared in (Prepared("y.jsonl"), Prepared()):
        assert finding("data-source", made("demo", "dataset.source=x.jsonl", prepared=prepared)).status == FAIL


def test_the_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    from scripts.dataset.prepare import prepare
    from scripts.dataset.settings import from_values

    turns = [{"role": "user", "content": "Tell me something, please."}, {"role": "assistant", "content": "No."}]
    rows = [{"messages": [{**turns[0], "content": f"Tell me {at} things."}, turns[1]]} for at in range(100)]
    rows += [{"messages": [*rows[at]["messages"], {**turns[0], "content": f"Go on, {at}?"}]} for at in range(20)]
    rows += [{"messages": [turns[1], turns[0]]}] * 3
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    settings = from_values({"dataset": {"source": str(source), "checks": {"unanswered": "keep", "order": "drop"}}})
    assert prepare(settings, tmp_path / "data" / "dev", say=lambda line: None, stream=None).code == 0
    splits, found = read("dev", tmp_path)
    assert splits["train"].rows > splits["validation"].rows > 0 and sum(each.rows for each in splits.values()) == 120
    assert (found.fallback, found.rows_in, found.left_out["order"]) == ("", 123, 3)
    assert Kept("unanswered", 20, "rows.jsonl line 101") in found.kept
    assert found.unused == {}
    assert read("prod", tmp_path) == ({}, Prepared())
    (tmp_path / "data" / "dev" / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"^data/dev/manifest.json: is not what .* writes: .*make data ENV=dev"):
        read("dev", tmp_path)
