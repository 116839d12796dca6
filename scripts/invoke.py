"""`python -m scripts.invoke`: a question for the endpoint, and its answer beside the true one.

The question is a held-out conversation without its last assistant turn, so that the answer is not in the prompt (the
reference notebook sends it along). The body is the contract of the chat-completion models.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, MISSING, UserError, main
from scripts.files import ROOT
from scripts.files import write as write_file
from scripts.values.read import Values, add_arguments, from_arguments

HELD_OUT = ("heldout.jsonl", "test.jsonl")  # the data set's own split for generation, else the test split


def held_out_row(environment: str, number: int = 0, root: Path = ROOT) -> dict[str, Any]:
    """Returns a held-out conversation that ends with an assistant turn; `number` picks which, and wraps around."""
    folder = root / "data" / environment
    path = next((folder / name for name in HELD_OUT if (folder / name).exists()), None)
    if path is None:
        raise UserError(f"data/{environment}/: no held-out rows; make data ENV={environment} prepares them", MISSING)
    try:  # split at \n alone: a conversation may hold other line separators
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        usable = [row for row in rows if len(row["messages"]) > 1 and row["messages"][-1]["role"] == "assistant"]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"data/{environment}/{path.name}: not what make data ENV={environment} writes, a conversation a line; run it again"
        ) from None
    if not usable:
        raise UserError(f"{path}: no conversation ends with an assistant turn, so there is no true answer to hold back")
    return usable[number % len(usable)]


def body(row: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns the request for a conversation: all its turns but the last, and the sampling parameters."""
    return {"input_data": {"input_string": row["messages"][:-1], "parameters": parameters}, "params": {}}


def answer(response: str) -> str:
    """Returns the text of a response; models answer `{"output": …}`, and some a list of those."""
    try:
        found = json.loads(response)
        if isinstance(found, str):  # printed as JSON, `az ml online-endpoint invoke` quotes the body once more
            found = json.loads(found)
        if isinstance(found, list):
            found = found[0]
        if not isinstance(found["output"], str):
            raise ValueError(found)
        return found["output"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise UserError(f"the endpoint's response has no output: {response.strip()[:200]!r}", FAILED) from None


def show(row: dict[str, Any], given: str) -> str:
    """Returns the question, the model's answer and the true one, for a terminal."""
    parts = (
        ("question", row["messages"][-2]["content"]),
        ("answer", given),
        ("true answer", row["messages"][-1]["content"]),
    )
    return "\n\n".join(f"{title}:\n" + "\n".join(_wrap(text)) for title, text in parts)


def _wrap(text: str) -> list[str]:
    return [
        line for block in text.strip().splitlines() for line in textwrap.wrap(block, 100, initial_indent="  ",
                                                                               subsequent_indent="  ") or [""]
    ]  # fmt: skip


def run(arguments: list[str] | None = None) -> int:
    """The command: writes a request, or shows a response."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.invoke", description="Ask the endpoint a held-out question."
    )
    add_arguments(parser)
    parser.add_argument("--row", type=int, default=0, help="which held-out conversation (default 0)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE", help="write the request to this file")
    what.add_argument("--show", type=Path, metavar="FILE", help="show the response in this file beside the true answer")
    options = parser.parse_args(arguments)
    values: Values = from_arguments(options)
    row = held_out_row(values.environment, options.row)
    if options.write:
        write_file(options.write, json.dumps(body(row, values.data["request"]), ensure_ascii=False) + "\n")
    if options.show:
        sys.stdout.write(show(row, answer(options.show.read_text(encoding="utf-8"))) + "\n")
    return 0


if __name__ == "__main__":
    main(run)
