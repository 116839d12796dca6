"""`python -m scripts.rollout deploy|traffic|rollback`: what an endpoint serves, and how it comes to."""

from __future__ import annotations

import argparse

from scripts import render
from scripts.chain import endpoint
from scripts.chain.__main__ import add_run_arguments, run_of
from scripts.chain.alone import alone
from scripts.errors import main
from scripts.rollout import back, rolling, traffic
from scripts.rollout.service import Live
from scripts.values.read import add_arguments

VERBS = ("deploy", "traffic", "rollback")


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.rollout", description=__doc__)
    parser.add_argument("verb", choices=VERBS, metavar="|".join(VERBS))
    add_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--traffic", default="", metavar="SHARES", help="traffic: such as 'demo=90 demo-2=10'")
    parser.add_argument("--mirror", default="", metavar="SHARE", help="traffic: copies, such as 'demo-2=10'")
    parser.add_argument("--warn", action="store_true", help="deploy: go on where the quota does not bear both")
    options = parser.parse_args(arguments)
    made = run_of(options)
    service = Live(made.values, endpoint.name_of(made))
    if options.verb == "traffic" and not (options.traffic or options.mirror):
        traffic.show(made)
        return 0
    if options.verb == "deploy":
        render.require_fresh(made.values)
    with alone(made.folder, made.make(options.verb)):
        if options.verb == "deploy":
            rolling.deploy(made, service, options.warn)
        elif options.verb == "traffic":
            traffic.give(made, options.traffic, options.mirror)
        else:
            back.rollback(made, service)
    return 0


if __name__ == "__main__":
    main(run)
