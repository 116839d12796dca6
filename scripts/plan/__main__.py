"""`python -m scripts.plan plan|apply|drift`: the committed YAML against the live workspace.

Exit codes: 0 nothing differs (apply: all is as the YAML says), 2 something does, 1 and more it failed. make ends with 2
whatever a program ends with, so a script calls this module, or reads OUTPUT=json.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts import programs, render
from scripts.azure import client as client_module
from scripts.chain.__main__ import add_run_arguments, run_of
from scripts.chain.alone import alone
from scripts.chain.run import Run, say
from scripts.chain.whole import Whole, switches
from scripts.errors import CHANGES, FAILED, UserError, compared, main
from scripts.plan import approved, resource, shown
from scripts.plan.applied import Applying, Stopped
from scripts.plan.resource import CHANGE, CREATE, JOB, MODEL, REPLACE, Resource, is_empty
from scripts.plan.world import World
from scripts.values.read import add_arguments

VERBS = {
    "plan": "Say what an apply would do, field by field.",
    "apply": "Make the workspace as the YAML says.",
    "drift": "Say what was made and is otherwise now.",
}


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.plan", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, told in VERBS.items():
        own = verbs.add_parser(verb, description=told)
        add_arguments(own)
        add_run_arguments(own)
        if verb != "apply":
            own.add_argument("-o", "--output", choices=("text", "json"), default="text")
        if verb == "plan":
            own.add_argument("--save", type=Path, metavar="FILE", help="write the plan there, to be approved")
        if verb == "apply":
            own.add_argument("--plan", type=Path, metavar="FILE", help="do what this approved plan says, or nothing")
            own.add_argument("--yes", action="store_true", help="do not ask")
            own.add_argument("--make", nargs=argparse.REMAINDER, help="how make is called for this environment")
    options = parser.parse_args(arguments)
    made = run_of(options)
    render.require_fresh(made.values)
    client = client_module.connect(made.values)
    if options.verb == "drift":
        return drift(made, client, options.output)
    if options.verb == "plan":
        return plan(made, client, options.output, options.save)
    return _apply(made, client, options)


def plan(run: Run, client: Any, output: str = "text", save: Path | None = None) -> int:
    """Prints what an apply would do, and keeps it for approval where `save` says so."""
    found = World(run, client).resources
    _print(run, found, output)
    if save:
        approved.save(save, run, found)
    return 0 if is_empty(found) else CHANGES


def drift(run: Run, client: Any, output: str = "text") -> int:
    """Prints what was made and is not as the YAML says; a job or a model that was never made is none of it."""
    world = World(run, client)
    found = [each for each in world.resources if _has_drifted(each, world.has_models)]
    last = f"Drift: {len(found)} of {run.environment} not as committed" if found else f"No drift of {run.environment}"
    if output == "json":
        print(shown.as_json(run, found, [], drift=len(found)))
    else:
        print(shown.text(_head(run), found, [], last) if found else last)
    return CHANGES if found else 0


def _has_drifted(each: Resource, has_models: bool) -> bool:
    """Tells whether what was made is otherwise now: what waits for a job or a model that was never made is not."""
    waits = each.kind in (JOB, MODEL) or each.name.endswith("?")
    waits = waits or (each.kind in (resource.ENDPOINT, resource.DEPLOYMENT) and not has_models)
    only_later = bool(each.changes) and all(resource.LATER in str(change.new) for change in each.changes)
    return shown.is_shown(each) and not (waits and each.action == CREATE) and not only_later


def _apply(run: Run, client: Any, options: argparse.Namespace) -> int:
    os.environ["MAKEFLAGS"] = switches(os.environ.get("MAKEFLAGS", ""))
    with alone(run.folder, run.make("apply")):
        programs.load((sys.executable, "-m", "scripts.az_ml"))
        return apply(run, client, Whole(options.make or _make(run)).targets, options.yes, options.plan)


def _make(run: Run) -> list[str]:
    """Returns how make is called for a run, where nobody said; without its words it is for another environment."""
    sets = [f"SET={shlex.join(run.values.sets)}"] if run.values.sets else []
    return [*(word for word in run.make("apply").split() if word != "apply"), *sets]


def apply(run: Run, client: Any, targets: Any, yes: bool, wanted: Path | None = None) -> int:
    """Shows the plan, asks, and carries it out; returns 0 where all is as the YAML says afterwards."""
    world = World(run, client)
    if wanted:
        approved.require(wanted, approved.read(wanted), run, world.resources)
    _print(run, world.resources)
    if is_empty(world.resources) and not world[JOB].runs:
        return 0
    if not (yes or wanted or _agreed(run)):
        print("nothing was done")
        return FAILED
    try:
        Applying(run, client, targets).apply(world)
    except Stopped as stopped:
        again = f" PLAN={wanted}" if wanted else ""
        say(f"Apply stopped there, for the reason above; {run.make('apply')}{again} goes on")
        return stopped.code
    left = World(run, client).resources
    if not is_empty(left):
        _print(run, left)
        raise UserError(f"what is listed above is still not as the YAML of {run.environment} says", FAILED)
    say(f"Applied: all of {run.environment} is as its YAML says")
    return 0


def _agreed(run: Run) -> bool:
    """Asks on a terminal; a UserError where there is none."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise UserError(f"nobody can be asked here: {run.make('apply')} YES=1 does what the plan says", FAILED)
    print("Do this? (y/N) ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _print(run: Run, found: Sequence[Resource], output: str = "text") -> None:
    costs = _costs(run, found)
    if output == "json":
        print(shown.as_json(run, found, costs))
    else:
        print(shown.text(_head(run), found, costs, shown.total(found)), flush=True)  # before what is said of it


def _head(run: Run) -> str:
    where = run.values.data["azure"]["workspace"]
    return f"pipelines/{run.environment}/ and endpoints/{run.environment}/ against workspace {where}"


def _costs(run: Run, found: Sequence[Resource]) -> list[str]:
    """Returns what is going to be billed, in the words of the preflight."""
    from scripts.preflight import context, cost, finding

    of_job = any(each.kind == JOB and each.action == CREATE for each in found)
    kinds = (resource.ENDPOINT, resource.DEPLOYMENT)
    serves = any(each.kind in kinds and each.action in (CREATE, REPLACE, CHANGE) for each in found)
    if not (of_job or serves):
        return []
    made = context.build(run.values)
    findings = [cost.time_and_cost(made)] * of_job + [cost.endpoint_cost(made)] * serves
    unknown = "what a part of this costs is not known: "
    return [f"{unknown * (each.status == finding.SKIPPED)}{each.sentence}" for each in findings]


if __name__ == "__main__":
    main(lambda: compared(run))
