"""`python -m scripts.invoke`: a held-out question for the endpoint as a file, and its answer beside the true one."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from scripts import files
from scripts.conversation import answer, held_out, request
from scripts.conversation.held_out import Case
from scripts.errors import main
from scripts.files import ROOT
from scripts.values.read import Values, from_arguments, parser_of


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
    lines = text.strip().splitlines()
    return "\n".join(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="  ") for line in lines)


def run(arguments: list[str] | None = None) -> int:
    """The command: writes a request, or shows a response."""
    parser = parser_of("invoke", "Ask the endpoint a held-out question.")
    parser.add_argument("--row", type=int, default=0, help="which held-out conversation (default 0)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE", help="write the request to this file")
    what.add_argument("--why", action="store_true", help="ask once more, and say in a sentence why there is no answer")
    what.add_argument("--show", type=Path, metavar="FILE", help="show the response in this file beside the true answer")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    case = question(values.environment, options.row)
    if options.write:
        files.write_private(options.write, request.body(case.messages, values.data["request"]))
    if options.show:
        sys.stdout.write(show(case, *answer.told(options.show.read_text(encoding="utf-8"))) + "\n")
    if options.why:
        _ask_again(values, case)
    return 0


def _ask_again(values: Values, case: Case) -> None:
    """Asks without az, which prints a refusal as it came; the `AskError` says what it means."""
    from scripts.azure import client
    from scripts.conversation import endpoint

    found = endpoint.require(values, client.connect(values), endpoint.name_of(values))
    with endpoint.http_client(found.timeout) as http:
        found.ask(case.messages, values.data["request"], http)
    print(f"endpoint {found.name} answers now; the same command asks anew")


if __name__ == "__main__":
    main(run)
