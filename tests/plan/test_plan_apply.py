"""A plan after an apply is empty, for every template; and what an apply does is what the plan said."""

import pytest

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
