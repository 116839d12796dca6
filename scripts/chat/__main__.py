"""`python -m scripts.chat`: a conversation with the deployment in the terminal."""

from __future__ import annotations

import argparse
import io
import sys

from scripts.azure import client as client_module
from scripts.chat.examples import examples
from scripts.chat.terminal import HELP, Terminal, lines
from scripts.chat.turns import Conversation, saved_in
from scripts.conversation import endpoint as endpoint_module
from scripts.errors import main
from scripts.terminal import is_shown
from scripts.values.read import add_arguments, from_arguments


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.chat", description=f"Talk to the deployment.\n\n{HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_arguments(parser)
    parser.add_argument("--system", default="", help="system prompt")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    endpoint = endpoint_module.require(values, client_module.connect(values), endpoint_module.name_of(values))

    if isinstance(sys.stdin, io.TextIOWrapper):  # a stray byte is a wrong letter, not the end of the conversation
        sys.stdin.reconfigure(errors="replace")

    def say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    with endpoint_module.http_client(endpoint.timeout) as http:
        conversation = Conversation(dict(values.data["request"]), options.system)
        terminal = Terminal(
            conversation,
            lambda asked: endpoint.pieces(asked.messages, asked.parameters, http),
            say,
            saved_in(values.environment),
            wraps=is_shown(),
            examples=lambda: examples(values),
        )
        say(f"{endpoint.model} at endpoint {endpoint.name}.\n")
        say("/help lists the commands, /example asks a held-out question.\n")
        for line in lines():
            if not terminal.take(line):
                break
    return 0


if __name__ == "__main__":
    main(run)
