"""What a rollout does with what it finds, step by step, with a program in az's place, and answers as they are told."""

import pytest

from scripts import state
from scripts.chain import endpoint, slots
from scripts.errors import FAILED, MISSING, USAGE
from scripts.rollout import back, rolling, traffic
from scripts.rollout.service import Reply
from tests.chain.conftest import registered, world  # noqa: F401 - fixtures
from tests.chain.world import Answers, refused

MODEL = "SmolLM2-135M-Instruct-azureml-chat"
SETS = ("deployment.rollout.questions=2", "deployment.rollout.watch_minutes=0")
BROKEN = Reply("", 0.1, "HTTP 500")


@pytest.fixture
def made(registered):  # noqa: F811
    """A run whose model's version 1 is registered, with quick rounds."""
    object.__setattr__(registered, "run", registered.with_values(*SETS))
    return registered


def stands(made, name, version=1, share=0, minute=0, previous="", **more):
    """Puts a deployment there, as the YAML says but for what is given."""
    shown = {**made.run.document(*slots.FILE), "model": f"azureml:{MODEL}:{version}", **more}
    del shown["name"]
    tags = {**shown["tags"], **({slots.PREVIOUS: f"{MODEL}:{previous}"} if previous else {})}
    context = {"created_at": f"2026-11-27T09:{minute:02}:00+00:00"}
    made.thing(f"deployment/{name}", "Succeeded", **{**shown, "tags": tags, "creation_context": context})
    given = made.get()["things"][made.on].get("traffic", {})
    made.thing(made.on, "Succeeded", traffic={**given, **({name: share} if share else {})})


def there(made):
    """The shares of what stands, with the versions."""
    things = made.get()["things"]
    return {
        key.partition("/")[2]: (
            things[made.on].get("traffic", {}).get(key.partition("/")[2], 0),
            thing.get("model", "?")[-1],
        )
        for key, thing in things.items()
        if key.startswith("deployment/")
    }


def shares(made):
    """The shares that were given, one after the other, with copies."""
    found = []
    for words in made.words("online-endpoint update"):
        mirror = words[words.index("--mirror-traffic") + 1] if "--mirror-traffic" in words else ""
        found.append((words[words.index("--traffic") + 1], mirror))
    return found


UPDATE, MAKE, TAKE = "online-endpoint update", "online-deployment create", "online-deployment delete"
STEPS = [("demo=100", "demo-2=10"), ("demo=90 demo-2=10", "demo-2=0"), ("demo=50 demo-2=50", ""), ("demo-2=100", "")]


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


def kept(made):
    object.__setattr__(made, "run", made.with_values(*SETS, "deployment.rollout.keep_previous=true"))
    stands(made, "demo", 4, 100)
    rolling.deploy(made.run, Answers())


def test_the_one_before_is_kept_where_the_values_say_so(made, capfd):
    kept(made)
    assert there(made) == {"demo": (0, "4"), "demo-2": (100, "1")}
    assert "demo is kept for make rollback ENV=demo, 0.53 USD an hour" in " ".join(capfd.readouterr().out.split())
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4"), "demo-2": (0, "1")}
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")}


def test_going_back_needs_no_model_that_is_as_good(made, capfd):
    stands(made, "demo-2", 5, 100, previous=4)
    back.rollback(made.run, Answers(demo_2=Reply("", 0.1, "HTTP 500"), demo=Reply("no", 9)))
    assert there(made) == {"demo": (100, "4")} and shares(made) == [("demo=100", "")]
    assert "make deploy ENV=demo would roll the registered model out again" in " ".join(capfd.readouterr().out.split())


def test_a_rollout_under_way_is_taken_back(made):
    stands(made, "demo", 4, 50)
    stands(made, "demo-2", 1, 50, 1)
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")}


def test_where_there_is_nothing_to_go_back_to_it_is_said(made):
    assert refused(back.rollback, made.run, Answers())[0] == MISSING
    stands(made, "demo", 1, 100)
    assert "was the first, as far as its tags say" in refused(back.rollback, made.run, Answers())[1]


@pytest.mark.parametrize(("given", "mirror", "said"), [
    ("demo=70", "", "TRAFFIC: the shares add up to 70; allowed are 100, and 0 for none"),
    ("dmo=100", "", "TRAFFIC: endpoint azureml-chat-6aa76914 has no deployment 'dmo' (did you mean 'demo'?); it has"),
    ("demo=100 demo=0", "", "TRAFFIC: names demo twice"),
    ("demo", "", "TRAFFIC: 'demo' is no share: write TRAFFIC=\"demo=90 demo-2=10\""),
    ("demo=101", "", "TRAFFIC: 'demo=101' is no share"),
    ("demo=" + "9" * 5000, "", "TRAFFIC: 'demo=999"),
    (" ", "", "TRAFFIC: '' is no share"),
    ("", "demo-2", "MIRROR: 'demo-2' is no share: write MIRROR=\"demo-2=10\""),
    ("bad=100", "", "TRAFFIC: deployment bad is Failed, and answers nothing"),
    ("", "demo-2=51", "MIRROR: demo-2=51: allowed are 0 to 50 per cent"),
    ("", "demo=10", "MIRROR: demo has live traffic"),
    ("demo=0 demo-2=100", "demo=10 bad=10", "MIRROR: names 2 deployments"),
])  # fmt: skip
def test_wrong_shares_are_refused_before_they_are_sent(made, given, mirror, said):
    stands(made, "demo", share=100)
    stands(made, "demo-2")
    made.thing("deployment/bad", "Failed")
    code, sentence = refused(traffic.give, made.run, given, mirror)
    assert code == USAGE and sentence.startswith(said) and made.calls() == []


def test_shares_are_given_and_shown(made, capfd):
    stands(made, "demo", share=100)
    stands(made, "demo-2", 2)
    traffic.give(made.run, "", "demo-2=20")
    traffic.give(made.run, "demo=60 demo-2=40", "demo-2=0")
    assert shares(made) == [("demo=100", "demo-2=20"), ("demo=60 demo-2=40", "demo-2=0")]
    lines = capfd.readouterr().out.splitlines()
    assert lines[-2].split()[:5] == ["demo", "60", "%", "0", "%"] and max(map(len, lines)) <= 80


def test_going_back_that_was_stopped_goes_on(made):
    stands(made, "demo-2", 5, 100, previous=4)
    stands(made, "demo", 4, minute=1, tags={"environment": "demo", slots.BACK: "true"})
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")} and MAKE not in made.calls()


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


def test_the_table_does_not_wait_for_one_that_is_being_made(made, capfd):
    stands(made, "demo", share=100)
    made.thing("deployment/demo-2", "Creating")
    traffic.show(made.run)
    assert "Creating" in capfd.readouterr().out


def test_one_with_the_same_model_is_not_rolled_out_again(made):
    stands(made, "demo", 1, 100, instance_type="Standard_NC24ads_A100_v4")
    rolling.deploy(made.run, Answers())
    before = made.calls()
    code, said = refused(back.rollback, made.run, Answers())
    assert code == FAILED and made.calls() == before and there(made) == {"demo-2": (100, "1")}
    assert said.startswith(f"deployment demo-2 took over from one with the same model, {MODEL}:1: what differed is its")


def test_what_was_left_is_forgotten_where_it_is_deleted(made):
    for undo in (lambda: back.rollback(made.run, Answers()), lambda: endpoint.undeploy(made.run)):
        stands(made, "demo", 4, 100)
        refused(rolling.deploy, made.run, Answers(demo_2=BROKEN))
        assert (made.folder / "rollout").exists()
        undo()
        assert not (made.folder / "rollout").exists()


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


def damaged(made):
    path = made.root / "data" / "demo" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{no row\n")


def test_rows_that_cannot_be_read_are_said_before_anything_is_made(made):
    stands(made, "demo", 4, 100)
    damaged(made)
    assert "data/demo/test.jsonl:1: is no conversation" in refused(rolling.deploy, made.run, Answers())[1]
    assert made.calls() == []


def test_who_goes_back_needs_no_rows(made):
    stands(made, "demo-2", 5, 100, previous=4)
    damaged(made)
    code, said = refused(back.rollback, made.run, Answers(demo=BROKEN))
    assert code == FAILED and said.endswith(
        "deployment demo stands beside demo-2 and is billed, 0.53 USD an hour; make rollback ENV=demo goes on with it, "
        "make deploy ENV=demo does what the YAML says"
    )
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")}
