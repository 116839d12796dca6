"""What a rollout does with what it finds, step by step, with a program in az's place, and answers as they are told."""

import pytest

from scripts import state
from scripts.chain import slots
from scripts.errors import FAILED
from scripts.rollout import back, rolling
from scripts.rollout.service import Reply
from tests.chain.world import Answers, refused
from tests.rollout.standing import (
    BROKEN,
    MAKE,
    MODEL,
    SETS,
    STEPS,
    TAKE,
    UPDATE,
    damaged,
    kept,
    shares,
    stands,
    there,
)


def test_the_first_is_asked_before_it_gets_traffic(made, capfd):
    answers = Answers()
    rolling.deploy(made.run, answers)
    assert made.calls() == [MAKE, UPDATE] and there(made) == {"demo": (100, "1")}
    assert set(answers.asked) == {"demo"}
    assert capfd.readouterr().out.endswith(": all traffic to demo\n")


@pytest.mark.parametrize("reply", [BROKEN, Reply(" ", 0.1)])
def test_a_first_one_that_does_not_answer_gets_no_traffic(made, reply):
    code, said = refused(rolling.deploy, made.run, Answers(demo=reply))
    assert code == FAILED and made.calls() == [MAKE]
    assert said.startswith("deployment demo: asked before it gets traffic: errors: 1 of 1 questions got no answer")
    assert said.endswith("it stands without traffic and is billed, 0.53 USD an hour; make undeploy ENV=demo deletes it "
                         "with its endpoint, make deploy ENV=demo asks again")  # fmt: skip


def test_what_is_as_wanted_is_left(made):
    stands(made, "demo", share=100)
    answers = Answers()
    rolling.deploy(made.run, answers)
    assert made.calls() == [] and answers.asked == []


def test_only_the_number_of_instances_is_changed_in_place(made):
    stands(made, "demo", share=100, instance_count=3, previous=7)
    rolling.deploy(made.run, Answers())
    assert made.calls() == ["online-deployment update"]
    assert f"tags.previous_model={MODEL}:7" in made.words("online-deployment update")[0]


@pytest.mark.parametrize("more", [{"version": 4}, {"instance_type": "Standard_NC24ads_A100_v4"},
                                  {"request_settings": {"request_timeout_ms": 1000}}])  # fmt: skip
def test_all_else_is_rolled_out_beside(made, more, capfd):
    stands(made, "demo", share=100, **more)
    answers = Answers()
    rolling.deploy(made.run, answers)
    assert made.calls() == [MAKE, UPDATE, UPDATE, UPDATE, UPDATE, TAKE] and shares(made) == STEPS
    assert there(made) == {"demo-2": (100, "1")} and answers.asked.count("demo") == answers.asked.count("demo-2")
    said = " ".join(capfd.readouterr().out.split())
    assert "rolled out beside it as demo-2; both are billed meanwhile, 0.53 USD an hour each" in said
    assert made.get()["things"]["deployment/demo-2"]["tags"][slots.PREVIOUS] == f"{MODEL}:{more.get('version', 1)}"
    assert not (made.folder / "rollout").exists()


CHECKS = {
    "asked directly": [],
    "with 10 % of the requests mirrored": STEPS[:1],
    "with 10 % of the traffic": STEPS[:2],
    "with 50 % of the traffic": STEPS[:3],
    "with 100 % of the traffic": STEPS[:4],
}


@pytest.mark.parametrize("at", CHECKS)
def test_a_check_that_fails_gives_the_traffic_back(made, at):
    stands(made, "demo", 4, 100)
    given = CHECKS[at]
    answers = Answers(demo_2=lambda case: BROKEN if len(shares(made)) >= len(given) else Reply("yes", 0.1))
    code, said = refused(rolling.deploy, made.run, answers)
    assert code == FAILED and there(made) == {"demo": (100, "4"), "demo-2": (0, "1")}
    assert shares(made)[: len(given)] == given and len(shares(made)) == len(given) + bool(given)
    assert said == (
        f"{MODEL}:1 was not rolled out: {at}: errors: 1 of 1 questions got no answer (HTTP 500); most_errors_percent "
        "allows 0 %; demo has all traffic; deployment demo-2 stands beside demo and is billed, 0.53 USD an hour; "
        "make deploy ENV=demo goes on with it, make rollback ENV=demo deletes it and gives demo all traffic"
    )
    assert state.kept(made.folder, "rollout").partition("; ")[2] in said


def test_one_that_does_not_come_up_says_why(made, capfd):
    stands(made, "demo", 4, 100)
    failed = {"deployment/demo-2": {"provisioning_state": "Failed"}}
    made.say(MAKE, {"code": 1, "err": "ERROR: (OutOfQuota) Not enough quota\n", "set": failed})
    code, said = refused(rolling.deploy, made.run, Answers())
    assert code == FAILED and there(made)["demo"] == (100, "4")
    assert "deployment demo-2 failed: likely quota (the subscription has too few cores of this size); az ml" in said
    assert said.count("stand beside") + said.count("stands beside") == 1 and "log line" in capfd.readouterr().err
    rolling.deploy(made.run, Answers())
    assert there(made) == {"demo-2": (100, "1")}


def test_a_quota_that_does_not_bear_both_is_said_before_anything_is_made(made, capfd):
    stands(made, "demo", 4, 100)
    code, said = refused(rolling.deploy, made.run, Answers("24 of 24 cores in use; ask for more"))
    assert code == FAILED and made.calls() == [] and "quota: 24 of 24 cores in use" in said
    assert said.endswith("nothing stands beside demo")
    rolling.deploy(made.run, Answers("24 of 24 cores in use; ask for more"), despite_quota=True)
    assert there(made) == {"demo-2": (100, "1")} and "note: 24 of 24" in capfd.readouterr().out


@pytest.mark.parametrize(("versions", "given", "calls", "end"), [
    ((4, 1), (100, 0), [UPDATE] * 4 + [TAKE], "demo-2"),  # it stood without traffic: taken up
    ((4, 1), (90, 10), [UPDATE] * 5 + [TAKE], "demo-2"),  # the traffic begins anew
    ((4, 1), (50, 50), [UPDATE] * 5 + [TAKE], "demo-2"),
    ((4, 1), (20, 80), [UPDATE] * 5 + [TAKE], "demo-2"),  # most of it, and never looked at since
    ((4, 1), (0, 100), [TAKE], "demo-2"),  # done but for the old one
    ((4, 3), (90, 10), [UPDATE, TAKE, MAKE] + [UPDATE] * 4 + [TAKE], "demo-2"),  # in the way: made anew
    ((1, 3), (90, 10), [UPDATE, TAKE], "demo"),  # the YAML went back meanwhile
    ((1, 3), (50, 50), [UPDATE, TAKE], "demo"),
    ((1, 3), (100, 0), [TAKE], "demo"),
])  # fmt: skip
def test_what_an_earlier_rollout_left(made, versions, given, calls, end):
    for minute, (name, version, share) in enumerate(zip(("demo", "demo-2"), versions, given, strict=True)):
        stands(made, name, version, share, minute)
    rolling.deploy(made.run, Answers())
    assert there(made) == {end: (100, "1")} and made.calls() == calls


def test_what_others_made_is_replaced_and_left(made):
    stands(made, "blue", 1, 100, tags={})
    rolling.deploy(made.run, Answers())
    assert there(made) == {"blue": (0, "1"), "demo": (100, "1")}


def test_the_one_before_is_kept_where_the_values_say_so(made, capfd):
    kept(made)
    assert there(made) == {"demo": (0, "4"), "demo-2": (100, "1")}
    assert "demo is kept for make rollback ENV=demo, 0.53 USD an hour" in " ".join(capfd.readouterr().out.split())
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4"), "demo-2": (0, "1")}
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")}


def test_a_stop_while_one_is_made_waits_for_nothing(made, monkeypatch):
    """Azure makes a deployment for a quarter of an hour; whoever stops that gets the terminal back."""
    stands(made, "demo", 4, 100)

    def stop(*arguments, **more):
        made.thing("deployment/demo-2", "Creating")
        raise KeyboardInterrupt

    monkeypatch.setattr(rolling.deployment, "ensure", stop)
    monkeypatch.setattr(rolling.signal, "signal", lambda *_: None)  # what is ignored from then on is the program's
    with pytest.raises(KeyboardInterrupt):
        rolling.deploy(made.run, Answers())
    assert there(made)["demo"] == (100, "4") and made.calls() == []
    assert "demo-2 may stand beside demo" in state.kept(made.folder, "rollout")


RULES = (
    *SETS, "deployment.autoscale.min=1", "deployment.autoscale.max=5",
    "deployment.autoscale.scale_out={metric: CpuUtilizationPercentage, above: 70, minutes: 5, by: 1}",
    "deployment.autoscale.scale_in={metric: CpuUtilizationPercentage, below: 25, minutes: 10, by: 1}",
)  # fmt: skip


@pytest.mark.parametrize(("standing", "bound"), [(4, ["instance_count=4"]), (9, [])])
def test_as_many_machines_as_autoscaling_made_take_over(made, capfd, standing, bound):
    object.__setattr__(made, "run", made.with_values(*RULES))
    stands(made, "demo", version=0, share=100, instance_count=standing)
    rolling.deploy(made.run, Answers())
    (words,) = made.words(MAKE)
    assert [word for word in words if word.startswith("instance_count=")] == bound
    said = " ".join(capfd.readouterr().out.split())
    assert "deployment demo-2 is not scaled yet: make autoscale ENV=demo gives it the rules" in said
    rolling.deploy(made.run, Answers())
    assert len(made.words(MAKE)) == 1
    assert "autoscale" not in capfd.readouterr().out


def test_a_service_that_is_gone_leaves_the_whole_sentence(made, monkeypatch):
    stands(made, "demo", 4, 100)

    def gone(case):
        monkeypatch.setenv("FAKE_AZ_WORLD", "/nowhere")
        return BROKEN

    code, said = refused(rolling.deploy, made.run, Answers(demo_2=gone))
    monkeypatch.setenv("FAKE_AZ_WORLD", str(made.place))
    assert code == FAILED and said.startswith(f"{MODEL}:1 was not rolled out: asked directly: errors: 1 of 1")
    assert "; the traffic could not be given back to demo (could not ask for" in said
    assert "deployment demo-2 may stand beside demo and be billed" in said


def test_traffic_that_others_have_is_not_taken_unsaid(made, capfd):
    stands(made, "demo", 4, 60)
    stands(made, "blue", 3, 40, 1, tags={})
    rolling.deploy(made.run, Answers())
    assert there(made) == {"blue": (0, "3"), "demo-2": (100, "1")}
    said = " ".join(capfd.readouterr().out.split())
    assert "deployment blue, which is none of this project's, has 40 % of the traffic: demo gets it" in said
    assert "deployment blue, which is none of this project's, stays without traffic and is billed" in said


def test_one_half_way_is_looked_at_though_its_count_changed(made):
    stands(made, "demo", 4, 20)
    stands(made, "demo-2", 1, 80, 1, instance_count=3)
    refused(rolling.deploy, made.run, Answers(demo_2=BROKEN))
    assert there(made) == {"demo": (100, "4"), "demo-2": (0, "1")}


def test_rows_that_cannot_be_read_are_said_before_anything_is_made(made):
    stands(made, "demo", 4, 100)
    damaged(made)
    assert "data/demo/test.jsonl:1: is no conversation" in refused(rolling.deploy, made.run, Answers())[1]
    assert made.calls() == []
