"""`python -m scripts.doctor --env ENV`: exit 0 (nothing needed is missing), 1 (something is), 5 (could not ask)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripts.azure.client import silence
from scripts.azure.live import Live
from scripts.doctor import account, machine
from scripts.errors import complain, main
from scripts.preflight import checklist, context, results, subscription
from scripts.preflight.checklist import Check
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, PASS, Result, skipped
from scripts.values.read import from_arguments, parser_of

HERE = (
    Check("python", machine.python),
    Check("make", machine.make),
    Check("git", machine.git),
    Check("disk", machine.disk),
    Check("pytorch", machine.torch),
    Check("local-azureml", machine.local),
)
AZURE = (Check("az", account.cli), Check("az-login", account.cli_login), Check("values", account.workspace_named))
GATES = (Check("login", account.login, live=True), Check("directory", subscription.directory, live=True))
LIVE = (
    Check("clock", account.clock, live=True),
    Check("workspace", account.workspace, live=True),
    Check("registry", account.registry, live=True),
    Check("permissions", account.may, live=True),
)


def examine(made: Context, live: Callable[[], Live] | None) -> list[Result]:
    """Runs the checks; of those of Azure none that could not be answered, as one before it says."""
    if live is None:
        return checklist.run(made, HERE) + _left_out(AZURE + GATES + LIVE, "OFFLINE=1 or BACKEND=local needs no Azure")
    found = checklist.run(made, HERE + AZURE)
    if found[-1].finding.status != PASS:
        return found + _left_out(GATES + LIVE, "not asked before the values name a workspace")
    silence()
    made.live = live()
    for place, gate in enumerate(GATES):
        found.append(checklist.result_of(gate, made))
        if found[-1].finding.status == FAIL or found[-1].unasked:
            return found + _left_out(GATES[place + 1 :] + LIVE, f"not asked without an answer to {gate.name}")
    return found + checklist.run(made, LIVE)


def _left_out(checks: Sequence[Check], why: str) -> list[Result]:
    return [Result(check.name, check.group, skipped(why)) for check in checks]


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("doctor", "Say what this machine and login lack, and how to get it.")
    parser.add_argument("--offline", action="store_true", help="only what needs no account and no network")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--az", default="", metavar="PROGRAM", help="what answers to az")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    found = examine(context.build(values, az=options.az), None if options.offline else lambda: Live(values))
    as_json = options.output == "json"
    print(results.as_json(values.environment, found) if as_json else results.table(found))
    unasked = [result.finding.sentence for result in found if result.unasked]
    if unasked:
        complain(f"{len(unasked)} check{'s' * (len(unasked) != 1)} had no answer: {unasked[0]}")
    return results.exit_code(found)


if __name__ == "__main__":
    main(run)
