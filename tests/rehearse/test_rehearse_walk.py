"""The walk: every fault of the emulator has a place in it, and FAULTS= names them."""

import pytest

from scripts.errors import UserError
from scripts.local.core.faults import FAULTS
from scripts.rehearse import walk
from scripts.rehearse.stage import Ran
from scripts.values.read import load


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


def test_a_list_of_faults_without_any_is_refused():
    with pytest.raises(UserError, match="FAULTS=,: there is no fault ','"):
        walk.chosen(",")


class Scripted:
    """A stage on which a fault happens when a target runs that meets it, past preflight; `runs` are the calls."""

    def __init__(self, meets, foretells=False, endpoints=()):
        self.meets, self.foretells, self.endpoints = meets, foretells, endpoints
        self.runs, self.set = [], ""

    def run(self, *targets, words=(), shown=False):
        self.runs.append(" ".join([*targets, *words]))
        if self.set and targets == (self.meets,):
            if self.foretells and "PREFLIGHT=warn" not in words:
                return Ran(targets[-1], 1, 1.0, "error: quota-serving: no cores\nmake: *** Error 1\n")
            self.set = ""
            return Ran(targets[-1], 7, 1.0, "ERROR: (OutOfQuota) none left\nerror: it failed; make x REHEARSAL=1\n")
        return Ran(targets[-1], 0, 1.0, "all is well\n")

    def json(self, module, *words, led=True):
        return [] if module == "scripts.az_ml" else {"running_jobs": [], "endpoints": list(self.endpoints)}

    def fault(self, name):
        self.set = name

    def is_set(self, name):
        return self.set == name

    def clear(self):
        self.set = ""


def walked(stage, *names):
    return list(walk.Walk(stage, load("dev", ["request.temperature=0.5"]), lambda line: None).through(names))


def test_what_preflight_stops_is_met_past_it_and_the_same_command_goes_on():
    served = {"name": "e", "deployments": {"demo": "Failed"}}
    stage = Scripted("deploy", foretells=True, endpoints=[served])
    (met,) = walked(stage, "quota-exceeded")
    assert (met.foretold, met.code, met.is_met) == ("quota-serving: no cores", 7, True)
    assert (met.of_azure, met.said) == ("(OutOfQuota) none left", "it failed; make x")
    assert met.recovery == ["make deploy ENV=dev"] and met.recovered
    assert met.bills.startswith("deployment demo (Failed), ") and met.bills.endswith(" USD an hour")
    good = ["data", "compute", "finetune", "register"]
    assert stage.runs == [*good, "undeploy", "deploy", "deploy PREFLIGHT=warn", "deploy"]


def test_what_is_given_up_keeps_the_values_that_were_set():
    stage = Scripted("deploy")
    (met,) = walked(stage, "deployment-never-starts")
    assert "deploy SET=request.temperature=0.5 waiting.deploy_minutes=0.2" in stage.runs
    assert stage.runs[-1] == "undeploy deploy" and met.recovery == ["make undeploy deploy ENV=dev"]


def test_a_job_without_output_is_trained_again_and_no_other_is():
    for name, meets, last in (("job-output-empty", "register", "finetune register AGAIN=1"),
                              ("job-out-of-memory", "finetune", "finetune")):  # fmt: skip
        stage = Scripted(meets)
        (met,) = walked(stage, name)
        assert stage.runs[2:3] == ["finetune AGAIN=1"] and stage.runs[-1] == last and met.target == meets


def test_a_place_that_a_yaml_never_comes_to_is_said_and_nothing_is_recovered():
    stage = Scripted("nothing")
    (met,) = walked(stage, "low-priority-pool-empty")
    assert (met.is_met, met.code, met.recovery) == (False, 0, []) and not stage.set


def test_a_chain_that_stops_without_a_fault_ends_the_walk():
    stage = Scripted("compute")
    stage.run = lambda *targets, words=(), shown=False: Ran(targets[-1], 5, 1.0, "error: nobody answers\n")
    with pytest.raises(UserError, match="data stopped although no fault was set: nobody answers") as caught:
        walked(stage, "quota-exceeded")
    assert caught.value.code == 5
