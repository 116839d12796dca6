"""Goes back to what answered before: the deployment where it still stands, else its model, rolled out anew."""

from __future__ import annotations

from scripts.chain import deployment, endpoint, left, model, slots
from scripts.chain.run import Run, say
from scripts.chain.slots import Deployment, Slots
from scripts.errors import FAILED, MISSING, UserError
from scripts.rollout.rolling import Rollout
from scripts.rollout.service import Service
from scripts.targets import billed


def rollback(run: Run, service: Service) -> None:
    """Takes the latest rollout back.

    A newer deployment that was to take over, and has not, is deleted. Else the traffic goes to the older one, where it
    stands; else the model before, which the live one's tag names, is rolled out in one step.
    """
    there = slots.look(run)
    live = there.live
    if live is None:
        raise UserError(
            f"endpoint {there.on} has no deployment with traffic, so there is nothing to go back from; "
            f"{run.make('traffic')} shows what it has",
            MISSING,
        )
    newer, older = ([each for each in there.others if there.is_newer(each) == kind] for kind in (True, False))
    before = live.previous if live.previous != live.model else ""
    under_way = any(before and each.goes_back and each.model == before for each in newer)  # one that was stopped
    if newer and not under_way:
        _take_back(run, there, live, newer)
        (run.folder / left.ROLLOUT).unlink(missing_ok=True)
    elif older and older[0].is_good and not under_way:
        _give_to(run, service, live, older[0])
        (run.folder / left.ROLLOUT).unlink(missing_ok=True)
    elif before:
        say(f"deployment {live.name} took over from model {before}, which is rolled out again")
        Rollout(run, service, before).back_to(there, live)
        _say_what_the_yaml_names(run, before)
    elif live.previous:
        raise UserError(
            f"deployment {live.name} took over from one with the same model, {live.model}: what differed is its size "
            f"or its settings, which the YAML says; revert the commit that changed them, and {run.make('deploy')} "
            "rolls that out",
            FAILED,
        )
    else:
        raise UserError(
            f"deployment {live.name} of endpoint {there.on} was the first, as far as its tags say ({slots.PREVIOUS}): "
            f"there is nothing to go back to; {run.make('traffic')} shows what the endpoint has",
            FAILED,
        )


def _take_back(run: Run, there: Slots, live: Deployment, newer: list[Deployment]) -> None:
    if not there.all_to(live.name):
        endpoint.route(run, {live.name: 100})
    for each in newer:
        deployment.remove(run, each.name)
    names = " and ".join(each.name for each in newer)
    say(f"endpoint {there.on}: all traffic to {live.name}, which answers with {live.model}; {names} is deleted")


def _give_to(run: Run, service: Service, live: Deployment, older: Deployment) -> None:
    endpoint.route(run, {older.name: 100})
    say(f"endpoint {endpoint.name_of(run)}: all traffic to {older.name}, which answers with {older.model}")
    if run.values.data["deployment"]["rollout"]["keep_previous"]:
        cost = billed(f"; it is billed{service.price()}")
        say(f"deployment {live.name} ({live.model}) is kept{cost}; {run.make('rollback')} once more deletes it")
    else:
        deployment.remove(run, live.name)
        say(f"deployment {live.name}: deleted")
    _say_what_the_yaml_names(run, older.model)


def _say_what_the_yaml_names(run: Run, serves: str) -> None:
    """Says that the YAML, or the state, still has the newer model deployed next."""
    named = model.named(run)
    if named and named != serves:
        lock = f"environments/{run.environment}.lock.yaml"
        say(
            f"endpoints/{run.environment}/deployment.yml still names {named}, and {run.make('deploy')} would roll it "
            f"out again: revert the commit that promoted it (git log -1 --format=%h -- {lock})"
        )
    elif not named:
        say(f"{run.make('deploy')} would roll the registered model out again: train and register another, or leave it")
