"""Autoscaling: the rendered rules, given to the deployment with the most traffic by `az monitor autoscale`.

The rules are written anew each time, so whoever was stopped calls the same command once more. What others have added
to a setting (notifications, profiles for some hours) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.chain import endpoint, slots
from scripts.chain.az import Az
from scripts.chain.run import Run, refused, say
from scripts.errors import MISSING, UserError
from scripts.targets import billed
from scripts.values.names import endpoint_id

FILE = ("endpoints", "autoscale.yml")


def apply(run: Run) -> None:
    """Makes the setting of the deployment that serves as the YAML says, and switches others off: all without rules."""
    az, on = run.az.monitor(), endpoint.name_of(run)
    settings = az.ask("the autoscale settings", "autoscale", "list") or []
    scope = f"{endpoint_id(run.values)}/deployments/".lower()
    held = {name: target.removeprefix(scope) for name, target in _targets(settings) if target.startswith(scope)}
    own = {name: of for name, of in held.items() if name.lower() == f"autoscale-{on}-{of}".lower()}
    if not run.values.data["deployment"].get("autoscale"):
        for name, of in own.items():
            _off(run, az, name, f"deployment.autoscale sets no rules; deployment {of} keeps the machines that it has")
        if not own:
            where, todo = run.values.where("deployment.autoscale"), run.make("render")
            raise UserError(f"{where}: deployment.autoscale: sets no rules; write them, and {todo}", MISSING)
        return
    wanted, serves = run.document(*FILE), _live(run, on)
    there = next((name for name, of in held.items() if of == serves.lower()), "")
    name = there or f"autoscale-{on}-{serves}"
    counts = _options(wanted["create"])
    if there:
        _do(run, az, name, "update", "--name", name, *counts, "--enabled", "true")
        _do(run, az, name, "rule", "delete", "--autoscale-name", name, "--index", "*")
    else:
        target = f"{endpoint_id(run.values)}/deployments/{serves}"
        _do(run, az, name, "create", "--name", name, "--resource", target, *counts)
    for rule in wanted["rules"]:
        _do(run, az, name, "rule", "create", "--autoscale-name", name, *_options(rule))
    for other, of in own.items():
        if other != name:
            _off(run, az, other, f"deployment {of} is not the one that serves")
    least, most = (wanted["create"][key] for key in ("min-count", "max-count"))
    each = billed(", each billed while it is there")
    say(f"deployment {serves}: {least} to {most} machines{each}; autoscale setting {name}")


def _off(run: Run, az: Az, name: str, why: str) -> None:
    _do(run, az, name, "update", "--name", name, "--enabled", "false")
    say(f"autoscale setting {name}: off, as {why}")


def _live(run: Run, on: str) -> str:
    live = slots.look(run, waits=False).live
    if live is None:
        raise UserError(f"endpoint {on}: no deployment has traffic; {run.make('deploy')} makes one", MISSING)
    return live.name


def _targets(settings: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Returns name and resource of each setting; ids have no case."""
    return [(str(each["name"]), str(each.get("targetResourceUri") or "").lower()) for each in settings]


def _options(given: Mapping[str, Any]) -> list[str]:
    """Returns keys of the YAML as the options that they are; `scale` is two words to az."""
    words: list[str] = []
    for key, value in given.items():
        words += [f"--{key}", *(str(value).split() if key == "scale" else [str(value)])]
    return words


def _do(run: Run, az: Az, setting: str, *words: str) -> None:
    answer = az.run("autoscale", *words, "-o", "none")
    if answer.code:
        raise refused(
            answer, f"autoscale setting {setting} is not as the YAML says; {run.make('autoscale')} writes it anew"
        )
