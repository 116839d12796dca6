"""What going back does with what it finds, with a program in az's place."""

from scripts.chain import endpoint, slots
from scripts.errors import FAILED, MISSING
from scripts.rollout import back, rolling
from scripts.rollout.service import Reply
from tests.chain.world import Answers, refused
from tests.rollout.standing import (
    BROKEN,
    MAKE,
    MODEL,
    damaged,
    shares,
    stands,
    there,
)


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


def test_going_back_that_was_stopped_goes_on(made):
    stands(made, "demo-2", 5, 100, previous=4)
    stands(made, "demo", 4, minute=1, tags={"environment": "demo", slots.BACK: "true"})
    back.rollback(made.run, Answers())
    assert there(made) == {"demo": (100, "4")} and MAKE not in made.calls()


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
