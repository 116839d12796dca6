"""`python -m scripts.provenance`: from the deployment that answers back to the data, and which link does not hold.

A model card and a CycloneDX bill of materials are written from it. Exit codes: 0 all holds or nobody could look, 2
something is missing or does not match, 1 and more it failed. make ends with 2 whatever a program ends with, so a script
calls this module, or reads OUTPUT=json.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from scripts import terminal
from scripts.azure import client as client_module
from scripts.chain.__main__ import add_run_arguments, run_of
from scripts.errors import CHANGES, FILE, UserError, compared, main
from scripts.files import write
from scripts.provenance import bom, card, shown
from scripts.provenance.line import Line
from scripts.provenance.trace import trace
from scripts.provenance.tree import Trees
from scripts.values.read import add_arguments


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.provenance", description=__doc__)
    add_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--model-version", default="", metavar="VERSION", help="the model that is meant, served or not")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--result", type=Path, metavar="FOLDER", help="write card and bill there, too")
    options = parser.parse_args(arguments)
    version = options.model_version
    if version and not version.isdecimal():
        raise UserError(f"MODEL={version}: is no version of a model; the service counts them: 1, 2, …")
    if options.result and options.result.exists() and not options.result.is_dir():
        raise UserError(f"RESULT={options.result}: is no folder; name one, or a new one", FILE)
    made = run_of(options)
    with contextlib.closing(Trees(made.root, made.values)) as trees:
        line = trace(made, client_module.connect(made.values), trees, version)
        print(shown.as_json(line) if options.output == "json" else shown.text(line), flush=True)
        for said in save(line, [made.folder, *([options.result] if options.result else [])], options.output == "text"):
            print(said)
    return 0 if line.holds else CHANGES


def save(line: Line, folders: list[Path], tells: bool = True) -> list[str]:
    """Writes card and bill of a line into folders, and returns what to say of it."""
    if line.model is None:
        return []
    content = {card.FILE: card.text(line, line.model), bom.FILE: bom.text(line, line.model)}
    for folder in folders:
        for name, text in content.items():
            write(folder / name, text)
    return [terminal.wrapped(f"written: {', '.join(str(folders[-1] / name) for name in content)}", "  ", "")] * tells


if __name__ == "__main__":
    main(lambda: compared(run))
