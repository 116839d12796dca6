"""Check of the data's source: is there what would be prepared?"""

from __future__ import annotations

import json
from pathlib import Path

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped


def source(context: Context) -> Finding:
    """Fails for a file or folder that is not there and was never prepared; of a hub id only the hub knows."""
    from scripts.dataset import source as sources

    asked, where = str(context.value("dataset.source")), context.at("dataset.source")
    if sources.is_hub_id(asked):
        return skipped(f"{asked} is taken for a data set of the Hugging Face hub; only make data asks there")
    if asked.startswith("azureml:"):
        return skipped(f"{asked} is the workspace's; only the job asks there")
    try:
        found = sources.local(asked)
    except UserError as error:
        if prepared_from(context.environment) == asked:
            return passed(f"{asked} is not here any more, but the data were prepared from it")
        sentence, _, todo = str(error).partition("; ")
        return failed(f"{where}: {sentence.removeprefix('dataset.source: ')}", todo or "name what is there")
    files = [file for split in found.splits.values() for file in split]
    return passed(f"{asked}: {len(files)} file{'' if len(files) == 1 else 's'}")


def prepared_from(environment: str, root: Path = ROOT) -> str | None:
    """Returns the source that the prepared data are of, None where there are none or they do not say."""
    path = root / "data" / environment / "manifest.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["source"]["asked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
