"""`python -m scripts.loadtest`: a ramp of concurrency against the deployment, its knee, and what to set."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from scripts import terminal
from scripts.azure import client as client_module
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation import held_out, model_folder
from scripts.errors import FAILED, USAGE, UserError, main
from scripts.evaluate import model_version
from scripts.loadtest import advice, load
from scripts.loadtest.load import Level
from scripts.targets import command, costs_nothing
from scripts.values.read import add_arguments, from_arguments

HEAD = ("at once", "requests/s", "tokens/s", "p50 s", "p95 s", "p99 s", "answered", "not answered")
LEVELS = "1,2,4,8"
_PIECE = re.compile(r"\w{1,5}|[^\w\s]")


def rough_tokens(text: str) -> int:
    """Returns about how many tokens a text has, where the model's tokenizer is not: pieces of up to five letters."""
    return len(_PIECE.findall(text))


def counter(folder: Path) -> tuple[Callable[[str], int], str]:
    """Returns what counts tokens, and what that is: the evaluated model's tokenizer if it is here, else an estimate."""
    downloaded = folder / "model"
    files = (folder / "tokenizer.json" for folder in model_folder.tokenizers(downloaded))
    file = next(filter(Path.is_file, files), None)
    if file is None:
        more = f"{command('evaluate')} brings the model's own tokenizer"
        return rough_tokens, f"tokens are estimated from the text ({more})"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids), "tokens by the model's own tokenizer"


def row(level: Level) -> list[str]:
    """Returns a level as a row of the table."""
    refused = ", ".join(
        f"{count} of {status or 'no answer'}" for status, count in sorted(level.statuses.items()) if status != 200
    )
    times = [f"{level.percentile(percent):.2f}" for percent in load.PERCENTILES]
    rates = [f"{level.requests_per_second:.2f}", f"{level.tokens_per_second:.1f}"]
    return [str(level.concurrency), *rates, *times, str(len(level.latencies)), refused or "0"]


def levels_of(text: str) -> list[int]:
    """Returns the levels of `1,2,4`; a `UserError` unless they are whole numbers that grow."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"--levels {text}: expected whole numbers with commas between them, such as {LEVELS}", USAGE)
    levels = [int(part) for part in parts]
    if levels != sorted(set(levels)) or not 1 <= levels[0] <= levels[-1] <= 256:
        raise UserError(f"--levels {text}: expected growing numbers from 1 to 256, such as {LEVELS}", USAGE)
    return levels


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.loadtest", description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        "--levels", default=LEVELS, help=f"clients at once, one level after the other (default {LEVELS})"
    )
    parser.add_argument("--seconds", type=float, default=15, help="length of a level (default 15)")
    parser.add_argument("--target-rps", type=float, help="requests a second to plan instance_count for")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    concurrencies = levels_of(options.levels)
    for option, given in (("--seconds", options.seconds), ("--target-rps", options.target_rps)):
        if given is not None and not 0 < given < float("inf"):
            raise UserError(f"{option} {given:g}: expected a number above 0", USAGE)
    values = from_arguments(options)
    seed = values.data["evaluation"]["seed"]
    cases, left_out = held_out.askable(held_out.drawn(values.environment, 200, seed))
    if left_out:
        print(f"note: {left_out}", file=sys.stderr)
    questions = [case.messages for case in cases]
    client = client_module.connect(values)
    endpoint = endpoint_module.require(values, client, endpoint_module.name_of(values))
    tokens_of, counted = counter(model_version.served(client, endpoint.model).folder)

    async def ramp() -> list[Level]:
        async with endpoint_module.async_http_client(endpoint.timeout, concurrencies[-1]) as http:
            return await load.run(
                endpoint, questions, values.data["request"], concurrencies, options.seconds, tokens_of, http,
                lambda level: print("  ".join(row(level)), file=sys.stderr, flush=True),
            )  # fmt: skip

    levels, here = asyncio.run(ramp()), costs_nothing()
    advised = advice.advise(levels, endpoint.places, endpoint.instances, options.target_rps)
    if options.output == "json":
        recommended = advised and {
            "knee": advised.knee.concurrency, "reason": advised.reason, "deployment": None if here else advised.values
        }  # fmt: skip
        print(json.dumps({"levels": [level.as_dict() for level in levels], "advice": recommended}, indent=1))
    else:
        print(terminal.table([row(level) for level in levels], HEAD, stralign="right"))
        print(terminal.wrapped(f"{counted}; questions: held-out conversations with values' request parameters"))
        reasons = {status: reason for level in levels for status, reason in level.reasons.items()}
        print("".join(f"{terminal.wrapped(reason)}\n" for _, reason in sorted(reasons.items())))
        if advised:
            print(terminal.wrapped("\n".join(advice.lines(advised, endpoint.places, options.target_rps, here))))
    if advised is None:
        raise UserError(f"endpoint {endpoint.name}: no level was answered in full, not even the lowest", FAILED)
    return 0


if __name__ == "__main__":
    main(run)
