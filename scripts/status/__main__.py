"""`python -m scripts.status status|reap|undeploy`: what runs in all environments on both backends, and deleting it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from scripts import terminal
from scripts.chain import endpoint
from scripts.chain.rendered import Rendered
from scripts.errors import FAILED, UNREACHABLE, complain, main
from scripts.status import gather, reap, shown
from scripts.status.committed import Committed, read
from scripts.status.judged import Item, judge
from scripts.status.seen import AZURE, LOCAL
from scripts.status.shown import Found, Workspace
from scripts.values.read import environments

BACKENDS = (AZURE, LOCAL)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.status", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, told in (
        ("status", "Say what runs, what it bills, and what is past its time to live."),
        ("reap", "Delete what is past its time to live."),
        ("undeploy", "Delete the endpoints of all environments."),
    ):
        own = verbs.add_parser(verb, description=told)
        own.add_argument("--env", choices=environments(), metavar="ENV", help="only its workspace")
        own.add_argument("--backend", choices=BACKENDS, help="only this one")
        if verb == "status":
            own.add_argument("-o", "--output", choices=("text", "json"), default="text")
        else:
            own.add_argument("--yes", action="store_true", help="do not ask")
            own.add_argument("--az", default="", help="the program that answers to az")
        if verb == "reap":
            own.add_argument("--name", default="", help="an endpoint, a cluster or endpoint/deployment, old or not")
    verbs.add_parser("look", description="For the others: what is in workspaces.").add_argument("places")
    serves = verbs.add_parser("serves", description="End with 0 where the endpoint has a deployment, with 1 where not.")
    serves.add_argument("--env", choices=environments(), required=True)
    options = parser.parse_args(arguments)
    if options.verb == "look":
        return _look(options.places)
    if options.verb == "serves":
        return _serves(options.env)
    committed = read(options.env or "")
    found = _find(committed, [options.backend] if options.backend else BACKENDS)
    if options.verb == "status":
        print(shown.as_json(found, committed) if options.output == "json" else shown.text(found, committed))
        return 0
    return _delete(found, committed.faults, options)


def _look(places: str) -> int:
    from scripts.status import look

    print(json.dumps([asdict(each) for each in look.look(gather.places_of(places))]))
    return 0


def _serves(environment: str) -> int:
    from scripts.status import look

    place = read(environment).places(LOCAL)[0]  # placeholders too: who asks has refused them before
    return 0 if look.serves(place, Rendered(environment).name(*endpoint.FILE)) else FAILED


def _find(committed: Committed, backends: Sequence[str]) -> Found:
    seen = gather.gather({backend: committed.places(backend) for backend in backends})
    found: dict[str, list[Workspace] | str] = {}
    for backend in backends:
        there = seen[backend]
        judged = there if isinstance(there, str) else [Workspace(each, judge(each, committed)) for each in there]
        found[backend] = judged
    return found


def _delete(found: Found, faults: Sequence[str], options: argparse.Namespace) -> int:
    """Deletes what the verb means, after it was agreed to; what could not be asked is said, and makes it fail."""
    items, unasked = _items(found)
    unasked = [*faults, *unasked]
    for sentence in unasked:
        complain(sentence)
    kept: list[str] = []
    if options.verb == "undeploy":
        doomed, nothing = reap.ours(items, options.env), "no environment has an endpoint"
    elif options.name:
        doomed, nothing = reap.named(items, options.name), ""
    else:
        (doomed, kept), nothing = reap.past(items), "nothing is past its time to live"
    for sentence in kept:
        print(terminal.wrapped(sentence, "  ", ""))
    code = UNREACHABLE if unasked else 0
    if not doomed:
        print(f"{'nothing was deleted' if kept else nothing}{' of what could be asked' if unasked else ''}")
        return code
    if not reap.agreed(doomed, options.yes, _again(options)):
        return FAILED if options.verb == "undeploy" or options.name else code
    return reap.delete(doomed, options.az) or code


def _items(found: Found) -> tuple[list[Item], list[str]]:
    items: list[Item] = []
    unasked: list[str] = []
    for there in found.values():
        if isinstance(there, str):
            unasked += [] if there == gather.AT_REST else [there]
            continue
        for each in there:
            items += each.items
            unasked += [each.seen.error] if each.seen.error else []
    return items, unasked


def _again(options: argparse.Namespace) -> str:
    """Returns the command that was called."""
    given = {"ENV": options.env, "BACKEND": options.backend, "NAME": getattr(options, "name", "")}
    given |= {"ALL": "1"} if options.verb == "undeploy" else {}
    return " ".join([f"make {options.verb}", *(f"{name}={text}" for name, text in given.items() if text)])


if __name__ == "__main__":
    main(run)
