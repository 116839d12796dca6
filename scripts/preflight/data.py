"""Checks of the data: is the source there, and what does the manifest say of what was prepared from it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scripts.errors import UserError
from scripts.preflight.context import Context, Kept
from scripts.preflight.finding import Finding, failed, passed, skipped, warned
from scripts.values import data_facts

MOST_FILES = 5  # that are named
_AGAIN = "set the check to drop or fail, or mend the rows, then make the data anew"


def source(context: Context) -> Finding:
    """Fails for a file or folder that is not there and was never prepared; of a hub id only the hub knows."""
    from scripts.dataset import source as sources

    asked, where = str(context.value("dataset.source")), context.at("dataset.source")
    if sources.is_hub_id(asked):
        return skipped(f"{asked} is taken for a data set of the Hugging Face hub; only preparing the data asks there")
    if asked.startswith("azureml:"):
        return skipped(f"{asked} is the workspace's; only the job asks there")
    try:
        found = sources.local(asked)
    except UserError as error:
        if context.prepared.source == asked:
            return passed(f"{asked} is not here any more, but the data were prepared from it")
        sentence, _, todo = str(error).partition("; ")
        return failed(f"{where}: {sentence.removeprefix('dataset.source: ')}", todo or "name what is there")
    files = [file for split in found.splits.values() for file in split]
    return passed(f"{asked}: {_files(len(files))}")


def own(context: Context) -> Finding:
    """Warns where a stand-in or another source was prepared: the run would train on it, and every figure is its."""
    if missing := _nothing(context):
        return missing
    if context.prepared.fallback:
        return warned(
            f"data/{context.environment}: what was prepared is {context.prepared.fallback} "
            f"({context.prepared.because}): a rehearsal, not your data",
            f"{context.make('data')} where the source can be reached, before anything is paid for",
        )
    asked = str(context.value("dataset.source"))
    if context.prepared.source != asked:
        return warned(
            f"{context.at('dataset.source')}: what was prepared is {context.prepared.source}, not {asked}",
            f"{context.make('data')} prepares {asked}; or write the other one into the values",
        )
    if context.named_version not in ("", context.prepared.version):
        return warned(
            f"data/{context.environment}: holds version {context.prepared.version}, and "
            f"{data_facts.file_name(context.environment)} names {context.named_version}",
            f"{context.make('data')} prepares what the values say, and says what changed",
        )
    if context.stale_version == context.prepared.version != "":
        return warned(
            f"data/{context.environment}: was prepared by other values than those of today: they changed since "
            f"{data_facts.file_name(context.environment)} was written",
            f"{context.make('data')} prepares what the values say, and says what changed",
        )
    return passed("the prepared data are of the values' own source")


def content(context: Context) -> Finding:
    """Fails for prepared rows that would stop the job, warns for those that spoil it."""
    from scripts.dataset.checks import CHECKS

    if missing := _nothing(context):
        return missing
    spoilt = [each for each in context.prepared.kept if each.check in CHECKS and CHECKS[each.check].invalid]
    if not spoilt:
        asked = (f"the chat template looked at {context.prepared.template}",) if context.prepared.template else ()
        return passed("no row was kept against a check that stops or spoils the run", *asked)
    named = ", ".join(f"{each.check} {_number(each)}" for each in spoilt)
    where = context.at(f"dataset.checks.{spoilt[0].check}")
    sentence = f"{where}: rows were kept in which the checks found something that spoils the run: {named}"
    if any(each.check == "template" for each in spoilt):
        return failed(f"{sentence}; the job fails on a row that the template refuses", _AGAIN, *lines(spoilt))
    return warned(sentence, _AGAIN, *lines(spoilt))


def left_out(context: Context) -> Finding:
    """Warns where more rows were left out than the values allow."""
    from scripts.dataset.settings import Settings

    if missing := _nothing(context):
        return missing
    data = context.prepared
    left, most = sum(data.left_out.values()), context.value("dataset.max_left_out", Settings.max_left_out)
    share = 100 * left / max(data.rows_in, 1)
    said = f"{left:,} of {data.rows_in:,} rows were left out of the prepared data ({share:.1f} %)"
    reasons = ", ".join(f"{name} {count:,}" for name, count in Counter(data.left_out).most_common())
    if share > most:
        return warned(
            f"{context.at('dataset.source')}: {said}, more than dataset.max_left_out ({most:g} %): {reasons}",
            f"see in data/{context.environment}/report.html which, and why, before paying for the rest",
        )
    return passed(said, *([reasons] if reasons else []))


def unused(context: Context) -> Finding:
    """Warns about data files of the source that were not read, where no value says which are to be."""
    from scripts.dataset.file import kind_of

    if missing := _nothing(context):
        return missing
    named = isinstance(context.value("dataset.splits.train"), str)
    files = {file: why for file, why in context.prepared.unused.items() if kind_of(file) != (None, None)}
    told = [f"{file}: {why}" for file, why in list(files.items())[:MOST_FILES]]
    if len(files) > MOST_FILES:
        told.append(f"and {len(files) - MOST_FILES:,} more, in data/{context.environment}/report.html")
    if files and not named:
        return warned(
            f"{context.at('dataset.source')}: {_files(len(files))} of it that may hold rows were not used",
            f"name them in dataset.splits (a pattern takes several), or move them away; then {context.make('data')}",
            *told,
        )
    others = len(context.prepared.unused) - len(files)
    if files:
        return passed(f"{_files(len(files))} not used: dataset.splits says which are", *told)
    return passed(f"every data file was used{f', {_files(others)} of other kinds not' if others else ''}")


def lines(kept: Sequence[Kept]) -> list[str]:
    """Returns a line for each check whose rows were kept: how many, the first one, and the way out."""
    from scripts.dataset.checks import CHECKS

    return [
        f"{CHECKS[each.check].title}: {_number(each)}{f', the first {each.first}' if each.first else ''}; "
        f"{CHECKS[each.check].fix}"
        for each in kept
    ]


def _number(kept: Kept) -> str:
    return f"{'about ' if kept.is_estimate else ''}{kept.rows:,}"


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _nothing(context: Context) -> Finding | None:
    """Returns what is said where nothing was prepared."""
    if context.prepared.source:
        return None
    return skipped("no data yet", f"{context.make('data')} prepares them")
