"""`python -m scripts.evaluate`: base against tuned on held-out conversations, a report, and what the gate would say."""

from __future__ import annotations

import argparse
import json

from scripts import files
from scripts.azure import client as client_module
from scripts.errors import main
from scripts.evaluate import compare, evaluation, model_version, printed, report
from scripts.files import ROOT
from scripts.values.read import add_arguments, from_arguments

ANSWERS = "answers.json"  # of a brief one


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.evaluate", description=__doc__)
    add_arguments(parser)
    model_version.add_arguments(parser)
    parser.add_argument("--engine", action="store_true", help="do not ask the endpoint even where one is deployed")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument(
        "--brief", action="store_true", help="few questions, three answers and a line; only the state keeps it"
    )
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    client = client_module.connect(values)
    meant = model_version.from_arguments(options, values, client)
    folder = meant.folder
    made = compare.evaluate(values, meant.version, folder, client, ask_endpoint=not options.engine, brief=options.brief)
    plain = made.as_dict()
    if options.brief:
        if options.folder:
            files.write_private(options.folder / ANSWERS, json.dumps(plain, indent=1, ensure_ascii=False))
        print(printed.brief(plain))
        return 0
    evaluation.write(made, folder)
    page = folder / "evaluation.html"
    files.write_private(folder / "evaluation.md", report.markdown(plain))
    files.write_private(page, report.html(plain))
    if options.output == "json":
        print(json.dumps(plain, indent=1, ensure_ascii=False))
    else:
        print(printed.terminal(plain))
        print(f"report  {page.relative_to(ROOT).as_posix()}\n        (.md and .json beside it; in {made.seconds} s)")
        print(printed.conclusion(plain))
    return 0


if __name__ == "__main__":
    from scripts.local.engine import threads

    threads.tune()
    main(run)
