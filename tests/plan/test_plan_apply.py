"""A plan after an apply is empty, for every template; and what an apply does is what the plan said."""

import pytest

from tests.plan.conftest import TEMPLATES


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_plan_after_an_apply_is_empty(project, case, capfd):
    made = project(*TEMPLATES[case])
    actions = {action for action, _, _ in made.todo()}
    assert actions == {"create"}
    assert made.apply() == 0
    print(capfd.readouterr())
    assert made.todo() == []
    assert made.apply() == 0 and made.called == []
