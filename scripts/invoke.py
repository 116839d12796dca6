"""`python -m scripts.invoke`: asks the endpoint a held-out question, and shows the answer beside the true one.

It asks as a user would by hand, with az and a file: both files are left in the run's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts import files, render, terminal
from scripts.chain import __main__ as chain
from scripts.chain import endpoint
from scripts.conversation import answer, held_out, request
from scripts.conversation.held_out import Case
from scripts.errors import FAILED, main
from scripts.files import ROOT
from scripts.values.read import Values, parser_of


def question(environment: str, number: int, root: Path = ROOT) -> Case:
    """Returns the held-out question of that number; the numbers begin at 0 and wrap around."""
    cases, left_out = held_out.askable(held_out.cases(environment, root))
    if left_out:
        print(f"note: {left_out}", file=sys.stderr)
    return cases[number % len(cases)]


def show(case: Case, given: str, shape: str) -> str:
    """Returns the question, the model's answer (and in which shape it came) and the true one, for a terminal."""
    answered = f"answer (it came as {shape})"
    parts = (("question", str(case.messages[-1]["content"])), (answered, given), ("true answer", case.truth))
    return "\n\n".join(f"{title}:\n{_wrapped(text)}" for title, text in parts)


def _wrapped(text: str) -> str:
    return terminal.wrapped(terminal.plain(text.strip()), "  ")


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("invoke", "Ask the endpoint a held-out question.")
    parser.add_argument("--row", type=int, default=0, help="which held-out conversation (default 0)")
    chain.add_run_arguments(parser)
    options = parser.parse_args(arguments)
    run = chain.run_of(options)
    render.require_fresh(run.values)
    case = question(run.environment, options.row)
    asked, answered = run.folder / "request.json", run.folder / "response.json"
    files.write_private(asked, request.body(case.messages, run.values.data["request"]))
    got = run.az.run("online-endpoint", "invoke", "-n", endpoint.name_of(run), "-r", str(asked), "-o", "tsv")
    if got.code:
        print(got.err.rstrip(), file=sys.stderr, flush=True)
        _ask_again(run.values, case)
        return FAILED
    files.write_private(answered, got.out)
    sys.stdout.write(show(case, *answer.told(got.out)) + "\n")
    return 0


def _ask_again(values: Values, case: Case) -> None:
    """Asks without az, which prints a refusal as it came; the `AskError` says what it means."""
    from scripts.azure import client
    from scripts.conversation import endpoint as served

    found = served.require(values, client.connect(values), served.name_of(values))
    with served.http_client(found.timeout) as http:
        found.ask(case.messages, values.data["request"], http)
    print(f"endpoint {found.name} answers now; the same command asks anew")


if __name__ == "__main__":
    main(run)
