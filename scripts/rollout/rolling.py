"""Rolls out: the new deployment beside the live one, questions, then the traffic in steps; or back to how it was.

Where everything stands is read from the endpoint, so the same command goes on after whatever stopped it: a deployment
that is as wanted is taken up, and the traffic begins with the first step again.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from scripts import state
from scripts.azure import updates
from scripts.chain import deployment, endpoint, left, model, slots
from scripts.chain.run import Run, say
from scripts.chain.signals import STOPS, handled
from scripts.chain.slots import BACK, PREVIOUS, Deployment, Slots
from scripts.errors import FAILED, UserError
from scripts.rollout.questions import Questions
from scripts.rollout.service import Service
from scripts.targets import billed, brief, costs_nothing
from scripts.values.names import slots as slot_names


class Refused(Exception):
    """A check failed; the sentence says which, with its figures."""


def deploy(run: Run, service: Service, despite_quota: bool = False) -> None:
    """Makes sure that the endpoint serves what the YAML says."""
    version = model.chosen(run)
    endpoint.ensure(run)
    Rollout(run, service, version, despite_quota).go()


class Rollout:
    """One rollout of a model version (`name:version`)."""

    def __init__(self, run: Run, service: Service, version: str, despite_quota: bool = False) -> None:
        self._run, self._service, self._version = run, service, version
        self._despite_quota, self._names = despite_quota, slot_names(run.name(*slots.FILE))
        self._values = run.values.data["deployment"]["rollout"]
        self._compares = True
        self._questions = Questions(run, service, lambda line: None if brief() else say(line))

    def go(self) -> None:
        """Rolls out what differs; where nothing does, only what an earlier rollout left is tidied up."""
        there = slots.look(self._run)
        live = there.live
        changed, taken_up = live and self._changed(live), self._half_way(there)
        if live is None:
            self._first(there)
        elif taken_up is not None:  # it has more traffic than the old one, and was not looked at since
            self._beside(there, taken_up)
        elif changed and all(updates.is_in_place(key) for key in changed):
            bound = {**self._tagged(live.previous), **live.scaled(self._run.values)}
            deployment.ensure(self._run, self._version, live.name, bound, self._stays(live.name))
            self._finish(live.name)
        elif changed:
            self._beside(there, live)
        else:
            say(f"deployment {live.name} serves {self._version} as the YAML says: nothing is rolled out")
            self._finish(live.name)

    def back_to(self, there: Slots, live: Deployment) -> None:
        """Rolls out beside the live one with all traffic at once, to go back: it has to answer, not to be as good."""
        self._values, self._compares = {**self._values, "mirror_percent": 0, "steps": [100]}, False
        self._beside(there, live)

    def _changed(self, found: Deployment) -> list[str]:
        """Returns the keys in which a deployment is not as wanted; a name that is none of the two is one."""
        other = [] if found.name in self._names else ["name"]
        scaled = {key: int(count) for key, count in found.scaled(self._run.values).items()}
        return other + found.differs({**self._run.document(*slots.FILE), **scaled}, self._version)

    def _tagged(self, previous: str) -> dict[str, str]:
        """Returns the tags that say what answered before, and that a rollout only went back."""
        back = {} if self._compares else {f"tags.{BACK}": "true"}
        return {**({f"tags.{PREVIOUS}": previous} if previous else {}), **back}

    def _half_way(self, there: Slots) -> Deployment | None:
        """Returns the old deployment where a rollout was stopped when the new one had most of the traffic.

        A newer one that has less is none: the YAML went back meanwhile, and nobody is sent to that any more.
        """
        live = there.live
        if live is None or not all(updates.is_in_place(key) for key in self._changed(live)):
            return None
        old = (each for each in there.others if each.share and not there.is_newer(each))
        return next((each for each in old if self._changed(each)), None)

    def _first(self, there: Slots) -> None:
        """Makes the first deployment, which nothing is compared with; one that is as wanted is taken up."""
        standing = [each.name for each in there.others if each.name in there.names and not self._changed(each)]
        name = next(iter(standing), there.names[0])
        self._questions.check()
        deployment.ensure(self._run, self._version, name)
        if fault := self._questions.judge("asked before it gets traffic", name):
            cost = billed(f" and is billed{self._service.price()}")
            raise UserError(
                f"deployment {name}: {fault}; it stands without traffic{cost}; {self._run.make('undeploy')} deletes it "
                f"with its endpoint, {self._run.make('deploy')} asks again",
                FAILED,
            )
        self._finish(name)

    def _beside(self, there: Slots, live: Deployment) -> None:
        """Rolls out beside the live one; what fails, or is interrupted, leaves that with all traffic."""
        name = next(name for name in (there.free, *there.names) if name != live.name)
        found = there.named(name)
        if self._compares:
            self._questions.check()
        cost = billed(f"; both are billed meanwhile{self._service.price()} each")
        say(
            f"deployment {live.name} answers with {live.model}; {self._version} is rolled out beside it as {name}{cost}"
        )
        state.write(self._run.folder, left.ROLLOUT, self._stays(live.name, name))
        with self._or_back(there, live.name, name):
            if not there.all_to(live.name):
                self._say_who_loses(there, live.name)
                self._route(live.name, name)
            if found and self._changed(found):
                say(f"deployment {name} stands there from before, and is not as the YAML says: it is made anew")
                deployment.remove(self._run, name)
                found = None
            if found is None:
                self._ensure_room()
                rest = self._stays(live.name, name)
                bound = {**self._tagged(live.model), **live.scaled(self._run.values)}
                deployment.ensure(self._run, self._version, name, bound, rest, stays=True)
            self._judge("asked directly", name, live.name)
            if mirrored := self._values["mirror_percent"]:
                self._route(live.name, name, mirrored=mirrored)
                self._judge(f"with {mirrored} % of the requests mirrored", name, live.name, spread=True)
            for share in self._values["steps"]:
                self._route(live.name, name, share)
                self._judge(f"with {share} % of the traffic", name, live.name, spread=True)
        state.write(self._run.folder, left.ROLLOUT, left.behind(name, live.name, self._run.environment))
        self._finish(name, live.name)

    def _judge(self, what: str, new: str, old: str, spread: bool = False) -> None:
        if fault := self._questions.judge(what, new, old if self._compares else "", spread):
            raise Refused(fault)

    def _ensure_room(self) -> None:
        if reason := self._service.no_room():
            if not self._despite_quota:
                raise Refused(f"quota: {reason}")
            say(f"note: {reason}")

    def _say_who_loses(self, there: Slots, gets: str) -> None:
        for each in there.every:
            if each.share and each.name != gets and not there.is_ours(each):
                share = f"has {each.share} % of the traffic: {gets} gets it"
                say(f"deployment {each.name}, which is none of this project's, {share}")

    def _route(self, live: str, new: str, share: int = 0, mirrored: int = 0) -> None:
        """Gives the new one its share of the traffic, or of copies, and the live one the rest."""
        shares = {name: part for name, part in ((live, 100 - share), (new, share)) if part}
        endpoint.route(self._run, shares, {new: mirrored})
        if share or mirrored:
            what = f"{share} % of the traffic" if share else f"copies of {mirrored} % of the requests"
            say(f"endpoint {endpoint.name_of(self._run)}: {what} to {new}")

    @contextlib.contextmanager
    def _or_back(self, there: Slots, live: str, new: str) -> Iterator[None]:
        """Gives the live one all traffic again where the work stops, whyever; nothing interrupts that."""
        try:
            with _stoppable():
                yield
        except (Exception, KeyboardInterrupt) as error:
            with _unstoppable(isinstance(error, KeyboardInterrupt)):
                undone = self._undone(live)
            if isinstance(error, UserError | Refused):
                rest = self._rest(live, new)
                said = str(error).removesuffix(f"; {self._stays(live, new)}")
                code = error.code if isinstance(error, UserError) else FAILED
                raise UserError(f"{self._version} was not rolled out: {said}; {undone}; {rest}", code) from None
            say(undone)
            raise

    def _undone(self, live: str) -> str:
        """Gives the live one all traffic, unless it has it, and says so."""
        try:
            endpoint.settle(self._run, endpoint.name_of(self._run))
            if endpoint.given(self._run) != ({live: 100}, {}):
                endpoint.route(self._run, {live: 100})
        except UserError as error:
            return f"the traffic could not be given back to {live} ({error}): {self._run.make('rollback')} does that"
        return f"{live} has all traffic"

    def _rest(self, live: str, new: str) -> str:
        """Says what stands, where that can be asked; who is being made is not waited for."""
        try:
            seen = endpoint.deployments(self._run, endpoint.name_of(self._run))
        except UserError:
            return self._stays(live, new)
        return self._stays(live, new, certain=True) if new in seen else f"nothing stands beside {live}"

    def _stays(self, live: str, new: str = "", certain: bool = False) -> str:
        if not new:
            return f"{live} answers as before where it did; {self._run.make('deploy')} tries again"
        return left.beside(live, new, self._run.environment, self._service.price(), certain, not self._compares)

    def _finish(self, name: str, before: str = "") -> None:
        """Gives a deployment all traffic, and deletes what else this project has on the endpoint, unless it is kept."""
        there = slots.look(self._run)
        moved = bool(before) or not there.all_to(name)
        if not there.all_to(name):
            self._say_who_loses(there, name)
            endpoint.route(self._run, {name: 100})
            there = slots.look(self._run)
        kept = ""
        for each in there.others:
            is_previous = each.name == before or not there.is_newer(each)
            if self._values["keep_previous"] and is_previous and each.is_good and not kept:
                kept = each.name
            else:
                deployment.remove(self._run, each.name)
                say(f"deployment {each.name}: deleted")
        for each in there.every:
            if each.name != name and not there.is_ours(each):
                cost = billed(" and is billed")
                say(f"deployment {each.name}, which is none of this project's, stays without traffic{cost}")
        (self._run.folder / left.ROLLOUT).unlink(missing_ok=True)
        until = f"; there until {self._run.make('undeploy')}" * costs_nothing()  # what is billed the last line says
        rest = f"; {kept} is kept for {self._run.make('rollback')}{billed(self._service.price())}" if kept else ""
        if moved and self._run.values.data["deployment"].get("autoscale") and not costs_nothing():
            say(f"deployment {name} is not scaled yet: {self._run.make('autoscale')} gives it the rules")
        say(f"endpoint {there.on}: all traffic to {name}{until}{rest}")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Has SIGTERM and SIGHUP stop the work as Ctrl-C does."""
    with handled(_interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _unstoppable(ends: bool) -> Iterator[None]:
    """Lets nothing but SIGKILL stop the work, nor the programs that it starts: a terminal tells them, too.

    `ends`: nor what little the program does afterwards, as it was told to end already.
    """
    with handled(signal.SIG_IGN, *STOPS):
        yield
    for number in STOPS if ends else ():
        signal.signal(number, signal.SIG_IGN)
