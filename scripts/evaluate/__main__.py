"""`python -m scripts.evaluate`: base against tuned on held-out conversations, a report, and what the gate would say."""

from __future__ import annotations

import argparse
import json

from scripts import files
from scripts.azure import client as client_module
from scripts.errors import main
from scripts.evaluate import compare, evaluation, model_version, report
from scripts.files import ROOT
from scripts.values.read import add_arguments, from_arguments


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.evaluate", description=__doc__)
    add_arguments(parser)
    model_version.add_arguments(parser)
    parser.add_argument("--engine", action="store_true", help="do not ask the endpoint even where one is deployed")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    client = client_module.connect(values)
    meant = model_version.from_arguments(options, values, client)
    folder = meant.folder
    made = compare.evaluate(values, meant.version, folder, client, ask_endpoint=not options.engine)
    plain = made.as_dict()
    paths = [evaluation.write(made, folder), folder / "evaluation.md", folder / "evaluation.html"]
    files.write_private(paths[1], report.markdown(plain))
    files.write_private(paths[2], report.html(plain))
    if options.output == "json":
        print(json.dumps(plain, indent=1, ensure_ascii=False))
    else:
        print(report.terminal(plain))
        print(f"{', '.join(path.relative_to(ROOT).as_posix() for path in paths)}: written in {made.seconds} s")
    return 0


if __name__ == "__main__":
    from scripts.local.engine import threads

    threads.tune()
    main(run)
