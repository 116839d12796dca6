"""The line as a model card: Markdown with the header that the Hugging Face hub reads; the same line, the same bytes."""

from __future__ import annotations

import functools
import re
from typing import Any

from scripts.evaluate.evaluation import Evaluation, Measure
from scripts.provenance.line import Line, Model
from scripts.provenance.shown import total
from scripts.provenance.trained import shown
from scripts.terminal import plain
from scripts.yaml_quoting import document

FILE = "model-card.md"
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")  # what Markdown, or HTML in it, could take for more than a letter


def text(line: Line, model: Model) -> str:
    """Returns the content of the file."""
    facts, job = line.facts, line.job

    def split(name: str, key: str) -> str:
        return f"{getattr(facts.splits[name], key) or 'not known'}" if facts else "not known"

    return _template().render(
        line=line,
        model=model,
        header=_Markdown(document(_header(line, model)).rstrip()),
        base=shown(job.base) if job else "",
        component=shown(job.component) if job else "",
        commit=f", commit {facts.commit}" if facts and facts.commit else "",
        split=split,
        confidence=line.evaluation.settings.get("confidence", "not known") if line.evaluation else "",
        measures=[each for each in line.evaluation.measures.values() if each.base or each.tuned]
        if line.evaluation
        else [],
        estimate=_estimate,
        total=total(line),
    )


class _Markdown(str):
    """What is Markdown, or YAML, already."""


@functools.cache
def _template() -> Any:
    import jinja2

    engine = jinja2.Environment(
        loader=jinja2.PackageLoader("scripts.provenance", "."),
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, finalize=escaped,
    )  # fmt: skip
    return engine.get_template("card.md.j2")


def escaped(value: object) -> str:
    """Returns a value as Markdown that shows it letter by letter, on one line."""
    if isinstance(value, _Markdown):
        return value
    return _MARKS.sub(r"\\\1", _word(str(value)))


def _word(text: str) -> str:
    """Returns somebody's text on one line: a line of dashes would end the header."""
    return " ".join(plain(text).split())


def _estimate(measure: Measure, who: str) -> str:
    found = getattr(measure, who)
    if not found:
        return "not measured"
    value, low, high = (f"{each:.{measure.digits}f}" for each in (found.value, found.low, found.high))
    return f"{value}{' %' * measure.percent} ({low} to {high})"


def _header(line: Line, model: Model) -> dict[str, Any]:
    """Returns the card's metadata, by the keys of the Hugging Face hub."""
    base = line.job.base if line.job else ""
    hub = re.fullmatch(r"[\w.-]+/[\w.-]+", base)
    source = line.facts.source if line.facts and line.facts.commit else ""  # a commit is a hub data set's alone
    header: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["azureml", "chat", "fine-tuned"],
        **({"license": "other", "license_name": _word(line.license)} if line.license else {}),
        **({"base_model": base, "base_model_relation": "finetune"} if hub and not model.stand_in else {}),
        **({"datasets": [_word(source)]} if source else {}),
    }
    if line.evaluation and (results := _results(line.evaluation)):
        data = {"name": f"held-out conversations, data version {line.evaluation.data_version}", "type": "private"}
        task = {"type": "text-generation"}
        header["model-index"] = [
            {"name": _word(model.name), "results": [{"task": task, "dataset": data, "metrics": results}]}
        ]
    return header


def _results(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {"type": key, "name": measure.title, "value": round(measure.tuned.value, measure.digits)}
        for key, measure in evaluation.measures.items()
        if measure.tuned
    ]
