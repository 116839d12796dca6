"""`python -m scripts.trained`: looks at what a job trained before it is registered, from a few small files of it.

Downloads MLmodel, conda.yaml and the tokenizer's configuration of the job's output, no weights, and keeps the
fingerprint of the whole as the storage lists it, which registering writes into the tag `files`. Refuses a model that
lost its chat template, which Azure ML registers and serves without a word; warns of packages with which a deployment
without code of its own dies when it starts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts import render, state
from scripts.azure import job_kinds, serving_rules, stored_files
from scripts.conversation import model_folder, template
from scripts.errors import FAILED, CouldNotAskError, UserError, main
from scripts.targets import command
from scripts.values.read import Values, add_arguments, from_arguments

CONDA = "conda.yaml"
# What is read: of a tokenizer all that its template may stand in, nothing that is large.
WANTED = (model_folder.DESCRIPTION, CONDA, "tokenizer_config.json", "chat_template.jinja")
# What writes another conda.yaml: the component hands it to MLflow (azureml-assets, model_converter_adapters.py).
NEXT_TIME = "model.finetune_config.mlflow_ft_conf.mlflow_save_model_kwargs.pip_requirements"


def fetch(client: Any, job: str, output: str, into: Path) -> str:
    """Downloads the wanted files of a job's output and returns the fingerprint of all of them, empty if not known.

    A `UserError` where the output holds no MLflow model.
    """
    from scripts.azure import answers, sdk_private

    what = f"output {output} of job {job}"
    found = answers.ask(what, sdk_private.output_files, client, job, output)
    names = [name for name in found.names if name.rpartition("/")[2] in WANTED] if found else []
    if found is None or model_folder.DESCRIPTION not in names:
        count = f"{len(found.names)} files, none of them MLmodel" if found and found.names else "no files"
        raise UserError(
            f"{what}: {count}; a job can end Completed and write nothing where its storage refuses the cluster: look "
            "at the workspace's storage account and the cluster's identity; then "
            f"{command('finetune', more='AGAIN=1')} trains anew",
            FAILED,
        )
    for name in names:
        answers.require(f"{name} of {what}", "look at the storage account", found.download, name, into)
    return stored_files.fingerprint(found.files) if all(file.etag for file in found.files) else ""


def look(folder: Path) -> Iterator[str]:
    """Yields a warning for everything in the model's files that a deployment may die of.

    A `UserError` if it has a tokenizer whose chat template was lost.
    """
    if model_folder.flavors(folder) & model_folder.CHAT:
        template.check(folder)
    path = folder / CONDA
    if not path.is_file():
        yield f"{CONDA}: not there, so a deployment without code has no packages to install"
        return
    for fault in serving_rules.conda_faults(model_folder.parsed(path)):
        yield (
            f"{CONDA}: {fault}, so a deployment without code is likely to die when it starts ('Liveness probe failed … "
            f"502'); for the next training set {NEXT_TIME}, for this model correct {CONDA} in a downloaded copy and "
            "register that"
        )


def check(values: Values, folder: Path) -> int:
    """Looks at the model of the state's job; prints warnings, and returns 0. A `UserError` where it is no good.

    Where this machine may not read the workspace's storage nothing is known of the model, and it is registered unseen.
    """
    from scripts.azure import client as client_module

    job = state.require_completed(folder, values.environment)
    with tempfile.TemporaryDirectory() as made:
        try:
            client = client_module.connect(values)
            output = _kind(values, client, job).output
            files = fetch(client, job, output, Path(made))
        except CouldNotAskError as error:
            print(f"warning: {error}; so its chat template and packages were not looked at", file=sys.stderr)
            return 0
        try:
            warnings = list(look(Path(made)))
        except UserError as error:
            said = str(error).replace(f"{made}/", "").replace(made, output)
            raise UserError(f"job {job}: {said}", FAILED) from None
    if files:
        state.write(folder, "model-files", f"{files} {job}")
    for warning in warnings:
        print(f"warning: job {job}: {warning}", file=sys.stderr)
    return 0


def _kind(values: Values, client: Any, job: str) -> job_kinds.JobKind:
    """Returns the type of a job that ran: the values may choose the other one by now."""
    from scripts.azure import answers

    found = answers.ask(f"job {job}", client.jobs.get, job)
    return job_kinds.of({"type": str(found.type).lower()}) if found else job_kinds.chosen(values.data)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.trained", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    render.require_fresh(values)
    return check(values, options.folder)


if __name__ == "__main__":
    main(run)
