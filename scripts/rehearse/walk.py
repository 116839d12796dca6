"""The walk through the faults: each happens once, on a chain that is good up to there, and the chain goes on from it.

What is prepared is shared; training takes two steps here, since no fault depends on how well a model is trained.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from scripts import workspace
from scripts.chain.rendered import Rendered
from scripts.errors import USAGE, UserError, suggest
from scripts.estimate.what_if import price_of
from scripts.files import ROOT
from scripts.preflight import context
from scripts.rehearse.record import Met
from scripts.rehearse.stage import Ran, Stage, plain
from scripts.targets import command
from scripts.values.read import Values

TABLE = ROOT / "scripts/local/core/faults.yaml"  # the emulator's facts, and none of its code
ORDER = ("data", "compute", "finetune", "register", "deploy", "invoke")
STEPS = 2  # of a training
NO_CLUSTER = "no cluster"
GIVES_UP = "waiting.deploy_minutes=0.2"
AGAIN = "AGAIN=1"


@dataclass(frozen=True)
class Scene:
    """Where a fault is met: the targets that meet it, what has to be gone before, and what goes on from it."""

    targets: tuple[str, ...]
    before: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    sets: str = ""
    recovery: tuple[str, ...] = ()  # the targets themselves where it is empty

    @property
    def place(self) -> int:
        """Where in the chain it begins."""
        return ORDER.index(self.targets[0])


_COMPUTE = Scene(("compute",), before=(NO_CLUSTER,))
_DEPLOY = Scene(("deploy",), before=("undeploy",))
_JOB = Scene(("finetune",), words=(AGAIN,))
# The place in the emulator at which a fault happens, or how it begins; the longest beginning counts.
SCENES = {
    "blob.key": Scene(("data",)),
    "token": _COMPUTE,
    "operation": _COMPUTE,
    "compute": _COMPUTE,
    "job": _JOB,
    "blob.log": _JOB,
    "job.output": Scene(("finetune", "register"), words=(AGAIN,)),
    "endpoint": _DEPLOY,
    "deployment": _DEPLOY,
    "deployment.hold": Scene(("deploy",), before=("undeploy",), sets=GIVES_UP, recovery=("undeploy", "deploy")),
    "scoring": Scene(("invoke",)),
}


def faults() -> dict[str, dict[str, Any]]:
    """Returns the emulator's faults by name, with what happens (`help`) and where (`at`)."""
    table: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def chosen(text: str) -> list[str]:
    """Returns the faults that FAULTS= names, `all` of them or some with commas between, in the chain's order."""
    known = faults()
    names = list(known) if text.strip() == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in known:
            raise UserError(
                f"FAULTS={text}: there is no fault '{name}'{suggest(name, known)}; allowed are all, or some of "
                f"{', '.join(known)}",
                USAGE,
            )
    return sorted(dict.fromkeys(names), key=lambda name: scene_of(known[name]["at"]).place)


def scene_of(at: str) -> Scene:
    """Returns where a fault of a place is met."""
    return SCENES[max((place for place in SCENES if f"{at}.".startswith(f"{place}.")), key=len)]


class Walk:
    """One walk, on a stage that is open and empty."""

    def __init__(self, stage: Stage, values: Values, say: Callable[[str], None]) -> None:
        self._stage, self._values, self._say = stage, values, say
        self._done = 0  # how many of ORDER are good
        self._table = faults()

    def through(self, names: Sequence[str]) -> Iterator[Met]:
        """Yields what became of each fault; a UserError where what has to be good before is not."""
        for name in names:
            scene = scene_of(self._table[name]["at"])
            while self._done < scene.place:
                self._good(self._stage.run(ORDER[self._done]))
                self._done += 1
            for target in scene.before:
                self._no_cluster() if target == NO_CLUSTER else self._good(self._stage.run(target))
            met = self._meet(name, scene)
            how = f"stops with {met.code}" if met.code else "goes on by itself" if met.is_met else "not met"
            goes = f", on again after {met.seconds:.0f} s" if met.recovered else ", NOT on again"
            self._say(f"{name:<28} {met.target}: {how}{goes * bool(met.code)}")
            yield met

    def _meet(self, name: str, scene: Scene) -> Met:
        stage, foretold = self._stage, ""
        sets = " ".join([*map(shlex.quote, self._values.sets), scene.sets]) if scene.sets else ""
        words = (*scene.words, *([f"SET={sets}"] if sets else []))
        stage.fault(name)
        ran = self._run(scene, words)
        if ran.code and stage.is_set(name):  # what only foretells it stopped before
            foretold, ran = ran.reason, self._run(scene, (*words, "PREFLIGHT=warn"))
        met = not stage.is_set(name)
        bills = self._bills()
        stage.clear()
        recovery, begun = list(scene.recovery or scene.targets), time.monotonic()
        recovered = True
        if ran.code:
            again = scene.words if ran.target == "register" else ()
            recovered = not stage.run(*recovery, words=again).code
            recovery = [plain(command(" ".join(recovery), self._values.environment, " ".join(again)))]
        return Met(
            name, self._table[name]["help"], ran.target, met, ran.code, ran.of_azure, ran.reason, foretold, bills,
            recovery if ran.code else [], time.monotonic() - begun, recovered,
        )  # fmt: skip

    def _run(self, scene: Scene, words: tuple[str, ...]) -> Ran:
        for target in scene.targets:
            ran = self._stage.run(target, words=words)
            if ran.code:
                break
        return ran

    def _good(self, ran: Ran) -> None:
        if ran.code:
            raise UserError(f"{ran.target} stopped although no fault was set: {ran.reason}", ran.code)

    def _no_cluster(self) -> None:
        name = Rendered(self._values.environment).name("pipelines", "compute.yml")
        where = shlex.split(workspace.options(self._values))
        shown = self._stage.json("scripts.az_ml", "ml", "compute", "list", *where, "-o", "json")
        if any(each["name"] == name for each in shown):
            self._stage.program("scripts.az_ml", "ml", "compute", "delete", "-n", name, "--yes", *where)

    def _bills(self) -> str:
        """Returns what Azure would bill while it stands as it does now, at the prices of the estimate."""
        state = self._stage.json("scripts.local", "status", "-o", "json", led=False)
        kept = [f"the machine of job {job['name']}{self._prices['finetune']}" for job in state.get("running_jobs", [])]
        for endpoint in state.get("endpoints", []):
            for name, condition in endpoint["deployments"].items():
                kept.append(f"deployment {name} ({condition}){self._prices['inference']}")
        least = self._values.data["compute"]["min_instances"]
        return "; ".join(kept + [f"{least} nodes of the cluster"] * bool(least)) or "nothing"

    @cached_property
    def _prices(self) -> dict[str, str]:
        run = context.build(self._values)
        found = {}
        for role, key in (("finetune", "compute.max_instances"), ("inference", "deployment.instance_count")):
            size = run.size(role)
            price = price_of(run, size, role) if size else None
            count = int(run.value(key, 1))
            found[role] = f", {price.per_hour * count:.2f} {price.currency} an hour" if price else ", price not known"
        return found
