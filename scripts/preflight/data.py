"""Check of the data's source: is there what would be prepared?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

MOST_LEFT_OUT = 10  # per cent of the training rows
_AGAIN = "set the check to drop or fail, or mend the rows, then make data"


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


def own(context: Context) -> Finding:
    """Warns where a stand-in was prepared: the run would train on it, and every figure here is its."""
    if not context.data:
        return skipped("no data yet", f"make data ENV={context.environment} prepares them")
    if context.prepared.fallback:
        return warned(
            f"data/{context.environment}: what was prepared is {context.prepared.fallback}: a rehearsal, not your data",
            f"make data ENV={context.environment} where the source can be reached, before anything is paid for",
        )
    return passed("the prepared data are of the values' own source")


def content(context: Context) -> Finding:
    """Fails for prepared rows that would stop the job, warns for those that spoil it and for many that are missing."""
    from scripts.dataset.checks import CHECKS

    if not context.data:
        return skipped("no data yet", f"make data ENV={context.environment} prepares them")
    data = context.prepared
    spoilt = {name: count for name, count in data.kept.items() if name in CHECKS and CHECKS[name].invalid}
    lines = [f"{CHECKS[name].title}: {count:,}; {CHECKS[name].fix}" for name, count in spoilt.items()]
    if spoilt:
        named = ", ".join(f"{name} {count:,}" for name, count in spoilt.items())
        where = context.at(f"dataset.checks.{next(iter(spoilt))}")
        sentence = f"{where}: rows were kept in which the checks found something that spoils the run: {named}"
        if "template" in spoilt:
            return failed(f"{sentence}; the job fails on a row that the template refuses", _AGAIN, *lines)
        return warned(sentence, _AGAIN, *lines)
    left, most = sum(data.left_out.values()), context.value("dataset.max_left_out", MOST_LEFT_OUT)
    if 100 * left > most * data.rows_in:
        reasons = ", ".join(f"{name} {count:,}" for name, count in Counter(data.left_out).most_common())
        return warned(
            f"{context.at('dataset.source')}: {left:,} of {data.rows_in:,} training rows were left out ({reasons})",
            "see in the data's report which, and why, before paying for the rest",
        )
    asked = (f"the chat template looked at {data.template}",) if data.template else ()
    sentence = f"{left:,} of {data.rows_in:,} training rows left out, none kept against a check that stops the run"
    return passed(sentence, *asked)


def prepared_from(environment: str, root: Path = ROOT) -> str | None:
    """Returns the source that the prepared data are of, None where there are none or they do not say."""
    path = root / "data" / environment / "manifest.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["source"]["asked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
