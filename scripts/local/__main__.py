"""`python -m scripts.local`: starts, stops and shows Azure ML on localhost, and runs programs against it."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from scripts import programs, terminal
from scripts.errors import FAILED, USAGE, UserError, main
from scripts.local import launcher
from scripts.local.core.home import Home, locate
from scripts.uncollected import uncollected

WORKSPACE_KEYS = ("subscription_id", "resource_group", "workspace", "region")


def parser() -> argparse.ArgumentParser:
    """Returns the command line."""
    top = argparse.ArgumentParser(prog="python -m scripts.local", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start it in the background and wait until it answers")
    stop = verbs.add_parser("down", help="stop it, its jobs and its deployments")
    stop.add_argument("--unless-used", action="store_true", help="only where no other workspace has a job or endpoint")
    about_a_workspace(stop)
    show = verbs.add_parser("status", help="show what runs")
    show.add_argument("-o", "--output", choices=("table", "json"), default="table")
    verbs.add_parser("serve", help="run it in the foreground")
    for verb, text in (("env", "print the environment as lines for a shell"), ("run", "run a program against it")):
        leads = verbs.add_parser(verb, help=text)
        about_a_workspace(leads)
        if verb == "run":
            leads.add_argument("command", nargs=argparse.REMAINDER, help="-- and the program with its arguments")
    clock = verbs.add_parser("clock", help="put its clock ahead, to see what time does")
    clock.add_argument("hours", type=hours, help="ahead of this machine's clock; 0: as it is")
    fault = verbs.add_parser("fault", help="make something fail on purpose, as it does in the cloud")
    fault.add_argument("name", nargs="?", help="which; without a name they are listed")
    fault.add_argument("--times", type=times, help="how often it happens (default: until it is cleared)")
    fault.add_argument("--clear", action="store_true", help="end it (without a name: all of them)")
    return top


def about_a_workspace(verb: argparse.ArgumentParser) -> None:
    """Adds the options that name a workspace."""
    verb.add_argument("--env", metavar="ENV", help="the environment whose values name the workspace")
    verb.add_argument("--set", action="extend", default=[], dest="sets", metavar="KEY=VALUE", nargs="+",
                      help="override a value of the environment")  # fmt: skip
    verb.add_argument("--sets", action="extend", dest="sets", metavar="TEXT", type=assignments,
                      help="several, in one text")  # fmt: skip
    for key in WORKSPACE_KEYS:
        verb.add_argument(f"--{key.replace('_id', '').replace('_', '-')}", dest=key, help="instead of the values'")


def assignments(text: str) -> list[str]:
    """Reads several assignments, as every program of the project does that takes values."""
    from scripts.values import read

    return read.assignments(text)


def times(text: str) -> int:
    """Reads how often a fault happens: at least once."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def hours(text: str) -> float:
    """Reads how far the clock is put ahead."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours, 0 or more")
    return found


def workspace_of(arguments: argparse.Namespace) -> dict[str, str] | None:
    """Returns the workspace that flags, or the values of an environment, name; None where neither is given."""
    given = {key: getattr(arguments, key) for key in WORKSPACE_KEYS if getattr(arguments, key)}
    if arguments.env and len(given) < len(WORKSPACE_KEYS):
        from scripts.values import read as values

        data = values.load(arguments.env, arguments.sets, check=False).data.get("azure") or {}
        given = {key: str(data[key]) for key in WORKSPACE_KEYS if data.get(key)} | given
    if not given:
        return None
    given.setdefault("region", "eastus")
    missing = [key for key in WORKSPACE_KEYS if key not in given]
    if missing:
        raise UserError(f"The workspace is not named completely: azure.{missing[0]} is missing.", USAGE)
    return given


def prepare(home: Home, arguments: argparse.Namespace, az: str | None) -> dict[str, str]:
    """Makes sure that the emulator runs and knows the workspace; returns the environment for it.

    `az`: the path of the official CLI, where it, or what calls it, has to be signed in.
    """
    workspace = workspace_of(arguments)
    launcher.up(home)
    if workspace is not None:
        launcher.register(home, workspace)
    variables = launcher.environment(home, dict(os.environ), workspace)
    if az is None or workspace is None:
        return variables
    return launcher.sign_in(home, variables, az, workspace["subscription_id"])


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Goes on as the program, with the environment that leads it to the emulator."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise UserError("run needs a program: python -m scripts.local run --env demo -- az ml job list", USAGE)
    program = shutil.which(command[0])
    if program is None:
        raise UserError(f"{command[0]}: no such program.", 127)
    name = Path(program).name
    if name == "az" and workspace_of(arguments) is None:
        raise UserError(
            "az needs a workspace to sign in for: name it with --env, or with --subscription and the others.", USAGE
        )
    # Python programs sign in by themselves; a shell, a wrapper, `make` may call az.
    az = program if name == "az" else None if name.startswith("python") else shutil.which("az")
    variables = prepare(home, arguments, az)
    sys.stdout.flush()
    programs.become([program, *command[1:]], variables)


def environment(home: Home, arguments: argparse.Namespace) -> int:
    """Prints the lines that a shell evaluates: `eval "$(python -m scripts.local env --env demo)"`."""
    variables = prepare(home, arguments, shutil.which("az"))
    for key in sorted(os.environ.keys() - variables.keys()):
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):  # no shell has another, and would take it for a command
            print(f"unset {key}")
    for key, value in sorted(variables.items()):
        if os.environ.get(key) != value:
            print(f"export {key}={shlex.quote(value)}")
    return 0


def show(home: Home, output: str) -> int:
    """Prints the status; exit code 1 where nothing runs."""
    state = launcher.status(home)
    if output == "json":
        hangs = launcher.holder(home) if state is None else None
        print(json.dumps(state or {"pid": None, "hangs": hangs, "home": str(home.root)}, indent=2))
        return 0 if state else FAILED
    if state is None:
        pid = launcher.holder(home)
        reason = "does not run" if pid is None else f"(process {pid}) does not answer; `make local-down` ends it"
        print(f"The local Azure ML of {home.root} {reason}.")
        return FAILED
    rows: list[tuple[str, Any]] = [
        ("process", state["pid"]),
        ("home", f"{state['home']} ({state['disk_bytes'] / 1e6:.0f} MB)"),
        ("proxy", f"http://127.0.0.1:{state['ports']['proxy_port']}"),
    ]
    rows += [
        ("workspace", f"{workspace['workspace']} in {workspace['resource_group']} ({workspace['region']})")
        for workspace in state["workspaces"]
    ]
    if state.get("hours_ahead"):
        rows.insert(1, ("clock", f"{state['hours_ahead']:g} h ahead of this machine's"))
    if launcher.is_outdated(state):
        rows.insert(1, ("code", "older than what lies here; make local-down, then go on"))
    rows += [("job", f"{job['name']} {job['status']}") for job in state["running_jobs"]]
    for endpoint in state["endpoints"]:
        deployments = ", ".join(f"{name} {condition}" for name, condition in endpoint["deployments"].items())
        rows.append(("endpoint", f"{endpoint['name']} {endpoint['state']}: {deployments or 'no deployment'}"))
    for label, text in rows:
        print(f"{label:10} {text}")
    return 0


def used_by_others(home: Home, arguments: argparse.Namespace) -> str:
    """Names the jobs and endpoints of other workspaces than the arguments'."""
    state, own = launcher.status(home) or {}, (workspace_of(arguments) or {}).get("workspace")
    kinds = {"job": "running_jobs", "endpoint": "endpoints"}
    return ", ".join(
        f"{kind} {each['name']} of {each['workspace']}"
        for kind, key in kinds.items() for each in state.get(key, []) if each["workspace"] != own
    )  # fmt: skip


def fault(home: Home, arguments: argparse.Namespace) -> int:
    """Sets, clears or lists faults."""
    from scripts.local.core import faults

    if arguments.name or arguments.clear:  # the list alone writes nothing
        home.create()
    current = {} if arguments.clear and not arguments.name else faults.read(home.faults, strict=not arguments.clear)
    if arguments.name:
        faults.check(arguments.name)
        if arguments.clear:
            current.pop(arguments.name, None)
        else:
            current[arguments.name] = {"times": arguments.times} if arguments.times else {}
    elif not arguments.clear:
        for name, each in faults.FAULTS.items():
            told = [f"{'* ' if name in current else '  '}{name:28} {each.help}"]
            told += [f"{'':30} {each.command}: {each.shows}"] if each.shows else []
            for line in told:
                print(textwrap.fill(line, terminal.width(), subsequent_indent=" " * 31, break_on_hyphens=False))
        return 0
    faults.write(home.faults, current)
    return 0


def work() -> int:
    """Runs the verb."""
    arguments = parser().parse_args()
    home = locate(ends=arguments.verb == "down")
    if arguments.verb == "up":
        started = launcher.up(home)
        record = home.read_record()
        state = "started" if started else "already runs"
        print(f"The local Azure ML {state} (process {record.pid if record else None}, home {home.root}).")
    elif arguments.verb == "down":
        if arguments.unless_used and (used := used_by_others(home, arguments)):
            print(f"The local Azure ML goes on running for {used}; make local-down stops it, and that too.")
            return 0
        print("The local Azure ML is stopped." if launcher.down(home) else "The local Azure ML did not run.")
    elif arguments.verb == "status":
        return show(home, arguments.output)
    elif arguments.verb == "serve":
        with uncollected():
            from scripts.local.server import serve
        serve(home)
    elif arguments.verb == "env":
        return environment(home, arguments)
    elif arguments.verb == "run":
        return run(home, arguments)
    elif arguments.verb == "clock":
        launcher.put_clock(home, arguments.hours)
    else:
        return fault(home, arguments)
    return 0


if __name__ == "__main__":
    main(work)
