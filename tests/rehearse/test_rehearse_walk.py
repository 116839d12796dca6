"""The walk: every fault of the emulator has a place in it, and FAULTS= names them."""

import pytest

from scripts.errors import UserError
from scripts.local.core.faults import FAULTS
from scripts.rehearse import walk


def test_every_fault_is_met_somewhere_and_no_scene_is_for_nothing():
    scenes = {name: walk.scene_of(each.at) for name, each in FAULTS.items()}
    for scene in scenes.values():
        assert set(scene.targets) <= set(walk.ORDER)
    used = {max((place for place in walk.SCENES if f"{each.at}.".startswith(f"{place}.")), key=len)
            for each in FAULTS.values()}  # fmt: skip
    assert used == set(walk.SCENES)
    assert scenes["job-output-empty"].targets == ("finetune", "register")
    assert scenes["probe-failed"].targets == ("deploy",)


def test_the_faults_that_are_named_come_in_the_order_of_the_chain():
    every = walk.chosen("all")
    assert set(every) == set(FAULTS)
    places = [walk.scene_of(FAULTS[name].at).place for name in every]
    assert places == sorted(places)
    assert walk.chosen("probe-failed, storage-forbidden,probe-failed") == ["storage-forbidden", "probe-failed"]


@pytest.mark.parametrize("text", ["probe-faild", "all,probe-failed", "probe-failed;x"])
def test_a_fault_that_there_is_not_is_named_before_anything_runs(text):
    with pytest.raises(UserError, match="there is no fault") as caught:
        walk.chosen(text)
    assert caught.value.code == 2 and ("did you mean 'probe-failed'" in str(caught.value)) == ("all" not in text)
