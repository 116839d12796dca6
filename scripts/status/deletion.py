"""`python -m scripts.status.deletion … KIND:NAME …`: deletes things of a workspace, and waits until they are gone.

By the chain's own steps, in a process that has the environment of its backend.
"""

from __future__ import annotations

import argparse

from scripts.chain import cluster, endpoint
from scripts.chain.__main__ import add_run_arguments, run_of
from scripts.chain.alone import alone
from scripts.chain.run import Run, refused, say
from scripts.errors import UserError, complain, main
from scripts.values.read import add_arguments


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.status.deletion", description=__doc__)
    add_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("things", nargs="+", metavar="KIND:NAME", help="endpoint, cluster, or deployment:endpoint/name")
    options = parser.parse_args(arguments)
    made = run_of(options)
    first = 0
    with alone(made.folder, made.make("reap")):
        for thing in options.things:  # one that is not deleted hinders no other: those go on billing, too
            try:
                _delete(made, *thing.split(":", 1))
            except UserError as error:
                for sentence in str(error).splitlines():
                    complain(sentence)
                first = first or error.code
    return first


def _delete(made: Run, kind: str, name: str) -> None:
    if kind == "endpoint":
        found = endpoint.show(made, name)
        if found is not None:
            endpoint.delete(made, name, found)
    elif kind == "cluster":
        cluster.remove(made, name)
    else:
        _deployment(made, *name.split("/"))
    say(f"no {kind} {name}")


def _deployment(made: Run, on: str, name: str) -> None:
    """Deletes a deployment that nobody is sent to: Azure refuses to delete another."""
    patience = made.patience(f"deployment {name}", "undeploy_minutes", f"Azure goes on; {made.make('status')} looks")
    answer = made.az.wait(patience, "online-deployment", "delete", "-n", name, "-e", on, "--yes")
    if answer.code and name in endpoint.deployments(made, on):
        raise refused(answer, f"deployment {name} of endpoint {on} was not deleted")
    patience.until(lambda: name in endpoint.deployments(made, on), lambda there: not there)


if __name__ == "__main__":
    main(run)
