"""The emulator answers what the real service was recorded to answer, and every disagreement is named."""

from __future__ import annotations

import pytest
import yaml

from scripts.probe.exchanges import Exchange, load
from tests.azure.service import play, scenes

NOT_PLAYED = play.EXCEPTIONS.with_name("not_played.yaml")


@pytest.fixture(scope="module")
def played():
    """What came of every question, asked of an emulator with a small model."""
    with play.fresh() as emulated:
        return scenes.play(play.Player(emulated.env))


def test_every_disagreement_is_named_or_counted(played):
    allowed = yaml.safe_load(play.EXCEPTIONS.read_text())["unnamed"]
    unnamed = [each.line() for each in played if not each.named()]
    assert len(unnamed) <= allowed, "\n".join(unnamed)


def test_every_exception_is_still_one(played):
    if yaml.safe_load(play.EXCEPTIONS.read_text())["unnamed"]:
        pytest.skip("there are disagreements without a name: which exceptions are left is seen when there are none")
    for exception in play.exceptions():
        assert exception["why"]
        assert any(
            play.covers(exception, each, difference)
            for each in played
            for difference in [*each.near_differences, *([] if each.same_status else [play.status_difference()])]
        ), exception


def test_every_question_of_the_table_is_asked_or_said_not_to_be(played):
    asked = {each.row.ask for each in played}
    left = {row.ask for row in load()} - asked
    declared = yaml.safe_load(NOT_PLAYED.read_text())
    for row in declared:
        assert row["why"]
        mine = {
            each for each in left if each == row["ask"] or (row["ask"][-1] == "*" and each.startswith(row["ask"][:-1]))
        }
        assert mine, f"{row['ask']} is asked, or is no question of the table"
        left -= mine
    assert not left


def test_a_disagreement_is_a_line():
    row = Exchange("x-get-200-1", "GET {ws}/x", 200, answer={"a": "text", "b": "none"})
    result = play.Result("read it", row, 404, [])
    assert not result.same and not result.recorded
    assert result.line() == "GET {ws}/x (read it, x-get-200-1): answered 404, Azure 200"
    assert not result.named()
    result.exceptions = [{"ask": "GET {ws}/x", "where": "status", "why": "so"}]
    assert result.named()
