"""`python -m scripts.trained`: looks at what a job trained before it is registered, from a few small files of it.

Downloads MLmodel, conda.yaml and the tokenizer's configuration of the job's output, no weights. Refuses a model that
lost its chat template, which Azure ML registers and serves without a word; warns of packages with which a deployment
without code of its own dies when it starts.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts import state
from scripts.conversation import model_folder, template
from scripts.errors import FAILED, UserError, main
from scripts.values.read import Values, add_arguments, from_arguments

OUTPUT = "trained_model"  # of the job, as templates/pipelines/finetune.yml.j2 names it
CONDA = "conda.yaml"
# What is read: of a tokenizer all that its template may stand in, nothing that is large.
WANTED = (model_folder.DESCRIPTION, CONDA, "tokenizer_config.json", "chat_template.jinja")
# Azure's no-code scorer imports it since 2025-11 (azureml-assets, mlflow_score_script.py), and its image may not be the
# model's own environment: azureml-examples#4008, #3923, #3913.
MONITORING = "azureml-ai-monitoring"
# With MLflow 3 no-code deployments die at start, from 3.7 at the latest: azureml-examples#3873, #4051.
MLFLOW = ("mlflow", "mlflow-skinny")
NEXT_TIME = "model.finetune_config.mlflow_ft_conf.mlflow_save_model_kwargs"


def fetch(client: Any, job: str, into: Path) -> None:
    """Downloads the wanted files of a job's output; a `UserError` where the output holds no MLflow model."""
    from scripts.azure import answers, sdk_private

    what = f"output {OUTPUT} of job {job}"
    found = answers.ask(what, sdk_private.output_files, client, job, OUTPUT)
    names = [name for name in found.names if name.rpartition("/")[2] in WANTED] if found else []
    if found is None or model_folder.DESCRIPTION not in names:
        count = f"{len(found.names)} files, none of them MLmodel" if found and found.names else "no files"
        raise UserError(
            f"{what}: {count}; a job can end Completed and write nothing where its storage refuses the cluster: look "
            "at the workspace's storage account and the cluster's identity",
            FAILED,
        )
    for name in names:
        answers.require(f"{name} of {what}", "look at the storage account", found.download, name, into)


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
    packages = list(_packages(path))
    names = {re.split(r"[^\w.-]", package)[0].lower().replace("_", "-") for package in packages}
    if MONITORING not in names:
        yield (
            f"{CONDA}: {MONITORING} is missing, which Azure's no-code scorer imports: the deployment is likely to die "
            f"at start ('Liveness probe failed … 502'); for the next training write "
            f"{NEXT_TIME}.extra_pip_requirements: [{MONITORING}], for this model add it to {CONDA} in a downloaded "
            "copy and register that"
        )
    for package in packages:
        if re.split(r"[^\w-]", package)[0].lower() in MLFLOW and _allows_mlflow_3(package):
            yield (
                f"{CONDA}: {package} lets MLflow 3 in, with which deployments without code were seen to die at start; "
                f"pin mlflow<3 in {NEXT_TIME}.pip_requirements, or in a downloaded copy"
            )


def _packages(path: Path) -> Iterator[str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for entry in content.get("dependencies") or []:
            yield from map(str, entry.get("pip", ()) if isinstance(entry, dict) else [entry])
    except (ValueError, AttributeError, TypeError, yaml.YAMLError):
        raise UserError(f"{path.name}: is not the conda.yaml of a model", FAILED) from None


def _allows_mlflow_3(package: str) -> bool:
    """Tells whether a requirement (pip's, or conda's with one =) takes a version 3 of MLflow; no pin takes any."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    wanted = re.sub(r"(?<![=<>!~])=(?!=)", "==", package.partition(";")[0])
    try:
        spec = SpecifierSet(re.sub(r"^[\w.-]+(\[[^\]]*\])?", "", wanted).strip())
    except InvalidSpecifier:
        return True
    exact = [each.version for each in spec if each.operator == "==" and "*" not in each.version]
    return any(Version(version).major >= 3 for version in exact) or any(map(spec.contains, ("3.0.0", "3.999.0")))


def check(values: Values, folder: Path) -> int:
    """Looks at the model of the state's job; prints warnings, and returns 0. A `UserError` where it is no good."""
    from scripts.azure import client

    job = state.read(folder, "job", f"make finetune ENV={values.environment} submits a job")
    with tempfile.TemporaryDirectory() as made:
        fetch(client.connect(values), job, Path(made))
        try:
            warnings = list(look(Path(made)))
        except UserError as error:
            said = str(error).replace(f"{made}/", "").replace(made, OUTPUT)
            raise UserError(f"job {job}: {said}", FAILED) from None
    for warning in warnings:
        print(f"warning: job {job}: {warning}", file=sys.stderr)
    return 0


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.trained", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    options = parser.parse_args(arguments)
    return check(from_arguments(options), options.folder)


if __name__ == "__main__":
    main(run)
