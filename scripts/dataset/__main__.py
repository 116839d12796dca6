"""The command line: `prepare`, `check`, `report` and `component`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.errors import MISSING, UserError, main
from scripts.files import ROOT, write
from scripts.targets import command


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the four commands."""
    from scripts.values.read import add_arguments

    top = argparse.ArgumentParser(prog="python -m scripts.dataset", description="Prepare and check chat data.")
    commands = top.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser(
        "prepare", help="write data/<env>: train, validation, test, heldout, manifest, report"
    )
    add_arguments(prepare)
    prepare.add_argument("--source", help="take another source: hub id, folder, file or glob")
    prepare.add_argument("--fallback", metavar="DIR", help="take this instead where the hub cannot be reached")
    prepare.add_argument("--folder", type=Path, help="where to write (default data/<env>)")
    prepare.add_argument("--force", action="store_true", help="prepare again, even if nothing has changed")
    check = commands.add_parser("check", help="run the checks on files, folders, globs or hub ids; writes nothing")
    add_arguments(check)
    check.add_argument("sources", nargs="+", metavar="FILE")
    report = commands.add_parser("report", help="write data/<env>/report.html once more")
    add_arguments(report)
    report.add_argument("--folder", type=Path, help="where the data lies (default data/<env>)")
    commands.add_parser("component", help="prepare as a step of the Azure ML pipeline", add_help=False)
    for each in (prepare, check):
        each.add_argument("--exact", action="store_true", help="count the tokens of every row, not of a sample")
        each.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return top


def command_line(words: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job leaves as little behind as Ctrl-C
    if words[:1] == ["component"]:  # knows no values: only what it needs is uploaded with it (scripts/.amlignore)
        from scripts.dataset.pipeline_step import prepare_in_pipeline

        return prepare_in_pipeline(words[1:])
    arguments = parser().parse_args(words)
    return {"prepare": _prepare, "check": _check, "report": _report}[arguments.command](arguments)


def _prepare(arguments: argparse.Namespace) -> int:
    from scripts.dataset import facts_file, terminal
    from scripts.dataset.manifest import as_text
    from scripts.dataset.prepare import prepare
    from scripts.dataset.run_plan import run_plan
    from scripts.values.read import from_arguments

    values = from_arguments(arguments)
    settings = _settings(arguments, values, source=arguments.source)
    folder = arguments.folder or ROOT / "data" / arguments.env
    out = sys.stderr if arguments.output == "json" else sys.stdout
    foreign = arguments.source is not None

    def say(line: str) -> None:
        print("\n".join(terminal.wrapped(line)), file=out, flush=True)

    code, manifest, fresh = prepare(settings, folder, arguments.fallback, arguments.force, say, foreign=foreign,
                                    plan=partial(run_plan, values))  # fmt: skip
    kept = facts_file.keep(values, manifest, foreign) if not code and arguments.folder is None else ""
    if arguments.output == "json":
        print(as_text(manifest), end="")
    elif fresh:
        terminal.outcome(manifest, folder)
    if kept:
        say(kept)
    return code


def _check(arguments: argparse.Namespace) -> int:
    from scripts.dataset import terminal
    from scripts.dataset.check_files import check_files
    from scripts.dataset.manifest import as_text
    from scripts.values.read import from_arguments

    verdict = check_files(_settings(arguments, from_arguments(arguments)), arguments.sources)
    if arguments.output == "json":
        print(as_text(verdict), end="")
    else:
        terminal.outcome(verdict)
    return int(verdict["status"] == "fail")


def _report(arguments: argparse.Namespace) -> int:
    from scripts.dataset import tokenizer
    from scripts.dataset.data_report import report_page
    from scripts.dataset.manifest import MANIFEST, REPORT, Unusable, is_intact, read_manifest
    from scripts.dataset.run_plan import run_plan
    from scripts.dataset.writer import room
    from scripts.values.read import from_arguments

    folder = arguments.folder or ROOT / "data" / arguments.env
    makes = command("data", arguments.env)
    todo = f"run `{makes}` first"
    try:
        manifest = read_manifest(folder)
    except Unusable as error:
        raise UserError(f"{folder / MANIFEST}: damaged; {todo}: {error}", MISSING) from None
    if manifest is None:
        raise UserError(f"{folder / MANIFEST}: not there yet; {todo}", MISSING)
    if not is_intact(manifest, folder, with_report=False):
        raise UserError(f"{folder}: is not what its {MANIFEST} says; `{makes}` makes it", MISSING)
    values = from_arguments(arguments)
    settings = _settings(arguments, values)
    coder, _ = tokenizer.find(settings.tokenizer, settings.model, online=False)
    with room(folder):
        write(folder / REPORT, report_page(manifest, folder, coder, partial(run_plan, values)))
    print(folder / REPORT)
    return 0


def _settings(arguments: argparse.Namespace, values: Any, **changes: Any) -> Any:
    from scripts.dataset.settings import from_values

    if getattr(arguments, "exact", False):
        changes["tokens"] = "exact"
    return from_values(values.data, **changes)


if __name__ == "__main__":
    main(lambda: command_line(sys.argv[1:]))
