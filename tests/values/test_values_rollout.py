"""How a rollout goes is checked when the values are read."""

import pytest

from scripts.errors import UserError
from scripts.values.read import load


@pytest.mark.parametrize(("setting", "said"), [
    ("steps=[10, 50]", "steps: found [10, 50], expected numbers that rise, the last one 100"),
    ("steps=[50, 10, 100]", "expected numbers that rise, the last one 100"),
    ("steps=[10, 10, 100]", "steps: found [10, 10, 100], expected"),
    ("steps=[]", "expected at least 1 item"),
    ("steps=[0, 100]", "expected at least 1"),
    ("mirror_percent=51", "expected at most 50"),
    ("watch_minutes=-1", "expected at least 0"),
    ("questions=0", "expected at least 1"),
    ("keep_previous=1", "expected true or false"),
    ("mirror_percents=1", "unknown key (did you mean 'mirror_percent'?)"),
])  # fmt: skip
def test_what_no_rollout_can_do_is_refused(setting, said):
    with pytest.raises(UserError, match=r"deployment\.rollout") as caught:
        load("demo", (f"deployment.rollout.{setting}",))
    assert said in str(caught.value)


def test_a_deployments_name_leaves_room_for_the_other_slot():
    load("demo", (f"deployment.name={'d' * 30}",))
    with pytest.raises(UserError, match="expected at most 30"):
        load("demo", (f"deployment.name={'d' * 31}",))
