"""The results as a table, as JSON and as JUnit."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from scripts.preflight import results
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Finding, Result

GOOD = Result("gpu-memory", "memory", Finding(PASS, "training fits", "", ("weights 1 GiB",)))
BAD = Result("finetune-size", "sizes", Finding(FAIL, "values.yaml:1: it is retired", "take another"))
TIGHT = Result("lock", "model", Finding(WARN, "there is none", "make lock", ("a detail",)))
NONE = Result("time-and-cost", "cost", Finding(SKIPPED, "no data yet", "make data"))
UNASKED = Result("cluster", "cluster", Finding(SKIPPED, "could not ask: nobody"), unasked=True)
ALL = [BAD, TIGHT, GOOD, NONE, UNASKED]


def test_the_table_has_a_line_a_check_its_details_and_a_way_out() -> None:
    assert results.table(ALL).splitlines() == [
        "FAIL    finetune-size values.yaml:1: it is retired",
        "                      -> take another",
        "skipped cluster       could not ask: nobody",
        "WARN    lock          there is none",
        "                      a detail",
        "                      -> make lock",
        "pass    gpu-memory    training fits",
        "                      weights 1 GiB",
        "skipped time-and-cost no data yet",
        "                      -> make data",
        "",
        "1 fail, 1 warn, 1 pass, 2 skipped",
    ]


def test_the_brief_table_has_complaints_memory_and_money() -> None:
    other = Result("region", "sizes", Finding(PASS, "the workspace is in eastus"))
    lines = results.table([*ALL, other], brief=True).splitlines()
    assert [line.split()[1] for line in lines if line[:1].strip()][:-1] == [
        "finetune-size", "cluster", "lock", "gpu-memory",
    ]  # fmt: skip
    assert not any("weights 1 GiB" in line for line in lines)
    assert any("a detail" in line for line in lines)
    assert lines[-1] == "preflight: 1 fail, 1 warn, 2 pass, 2 skipped"


def test_long_lines_are_broken_under_their_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    long = Result("lock", "model", Finding(WARN, "word " * 40, "way " * 40))
    lines = results.table([long]).splitlines()[:-2]
    assert len(lines) == 7
    assert max(map(len, lines)) <= 80
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 13, 13, 13, 13, 16, 16]


def test_checks_that_are_skipped_alike_are_one_line_and_the_tally_has_an_order() -> None:
    others = [Result(name, "cost", NONE.finding) for name in ("data-own", "data-content")]
    lines = results.table([GOOD, NONE, *others, BAD]).splitlines()
    assert lines[0].startswith("FAIL") and lines[-1] == "1 fail, 1 pass, 3 skipped"
    assert "skipped time-and-cost, data-own, data-content: no data yet -> make data" in lines
    assert results.stop([GOOD, BAD, BAD]) == "finetune-size: values.yaml:1: it is retired (and 1 more above)"
    assert results.stop([GOOD, TIGHT]) == ""


def test_json_has_all_keys_always() -> None:
    found = json.loads(results.as_json("reference", ALL, overridden=True))
    assert (found["environment"], found["exit_code"], found["overridden"]) == ("reference", 1, True)
    assert found["checks"][1] == {"check": "lock", "group": "model", "status": "warn", "sentence": "there is none",
                                  "todo": "make lock", "details": ["a detail"], "unasked": False}  # fmt: skip


def test_junit_counts_and_says_everything() -> None:
    suite = ElementTree.fromstring(results.junit("reference", ALL).encode())
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "preflight reference", "tests": "5", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    cases = {case.get("name"): case for case in suite}
    assert cases["lock"].get("classname") == "preflight.model"
    inner = {name: [child.tag for child in case] for name, case in cases.items()}
    assert inner == {"finetune-size": ["failure"], "lock": ["system-out"], "gpu-memory": ["system-out"],
                     "time-and-cost": ["skipped"], "cluster": ["error"]}  # fmt: skip
    assert cases["lock"][0].text == "warn: there is none\na detail\n-> make lock"
    assert cases["finetune-size"][0].text == "values.yaml:1: it is retired\n-> take another"
    assert cases["finetune-size"][0].get("message") == "values.yaml:1: it is retired"


def test_the_record_is_the_json_with_whether_a_person_went_on() -> None:
    record = json.loads(results.as_json("reference", [GOOD], overridden=False))
    assert record == {**json.loads(results.as_json("reference", [GOOD])), "overridden": False}
    assert record["exit_code"] == 0


def test_a_narrow_terminal_has_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Result("gpu-memory", "memory", Finding(PASS, "word " * 40, "do " * 40, ("detail " * 20,)))
    for columns, widest in (("80", 80), ("200", 80), ("10", 40)):
        monkeypatch.setenv("COLUMNS", columns)
        assert 20 < max(map(len, results.table([long]).splitlines())) <= widest
