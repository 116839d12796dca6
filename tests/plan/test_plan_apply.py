"""A plan after an apply is empty, for every template; and what an apply does is what the plan said."""

import pytest

from scripts.errors import UserError
from scripts.local.core import faults
from scripts.local.core.home import Home
from tests.plan.conftest import TEMPLATES

SHORT = ("reference",)  # the others' resources are those of the other files' tests
CASES = [pytest.param(case, marks=[] if case in SHORT else [pytest.mark.long]) for case in TEMPLATES]


@pytest.mark.parametrize("case", CASES)
def test_a_plan_after_an_apply_is_empty(project, case):
    made = project(*TEMPLATES[case])
    actions = {action for action, _, _ in made.todo()}
    assert actions == {"create"}
    assert made.apply() == 0
    assert made.todo() == []
    assert made.apply() == 0 and made.called == []


def test_what_failed_is_said_and_made_again(project, emulated):
    made = project()
    for fault, action, title in (
        ("compute-provisioning-failed", "replace", "cluster gpu-cluster"),
        ("probe-failed", "change", "deployment demo"),
    ):  # fmt: skip
        faults.write(Home(emulated.home).faults, {fault: {"times": 1}})
        with pytest.raises(UserError):
            made.apply()
        (found,) = [each for each in made.todo() if each[1] == title]
        assert found[0] == action and found[2] == ["provisioning_state"]
    assert made.apply() == 0 and made.todo() == []
