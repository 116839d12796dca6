"""The line as a CycloneDX 1.6 bill of materials for machine learning: the model with its card, its base, its data.

No clock but the job's and no random: the same line, the same bytes. What is hashed is what was read; the model's files
are known by their listing, which is a property and no hash.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from scripts.evaluate.evaluation import Evaluation
from scripts.provenance.line import Line, Model
from scripts.provenance.trained import shown
from scripts.terminal import plain

FILE = "bom.json"
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==\s*([^\s;,]+)|(?=[;<>=!~@(]|$))")  # no path
_ACCESS = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")  # name and password of an address, and its signature
_MODEL, _BASE, _COMPONENT = "model", "base-model", "training-component"
_NAMESPACE = uuid.UUID("6f5d3c1e-2c1b-5b7a-9d55-0c3a3f1f2b10")


def bom(line: Line, model: Model) -> dict[str, Any]:
    """Returns the bill for a model."""
    parts = [*_base(line), *_data(line), *_packages(model)]
    refs = [part["bom-ref"] for part in parts]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {**_time(line), "component": _model(line, model)},
        "components": parts,
        "dependencies": [{"ref": _MODEL, "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        **content,
        "serialNumber": f"urn:uuid:{serial}",
    }


def text(line: Line, model: Model) -> str:
    """Returns the content of the file."""
    return plain(json.dumps(bom(line, model), indent=2, ensure_ascii=False)) + "\n"


def _time(line: Line) -> dict[str, str]:
    made = line.job.made if line.job else ""
    return {"timestamp": f"{made.replace(' ', 'T')}:00Z"} if re.fullmatch(r"[\d-]{10} \d\d:\d\d", made) else {}


def _model(line: Line, model: Model) -> dict[str, Any]:
    links = {f"link.{link.what}": f"{link.status}: {link.sentence}" for link in line.links}
    told = {"workspace": line.workspace, "environment": line.environment, "commit": line.commit,
            "job": line.job.name if line.job else "", "files": model.files, **links}  # fmt: skip
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": model.name,
        "version": model.version,
        **({"description": model.description} if model.description else {}),
        "modelCard": _card(line),
        "properties": _properties(told),
    }


def _card(line: Line) -> dict[str, Any]:
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "text-generation",
            "datasets": [{"ref": f"data-{each.split}"} for each in line.data],
            "inputs": [{"format": "chat messages"}],
            "outputs": [{"format": "text"}],
        },
        "properties": _properties({f"parameter.{name}": f"{each.value} ({each.source})"
                                   for name, each in line.parameters.items()}),
    }  # fmt: skip
    if line.evaluation:
        card["quantitativeAnalysis"] = {"performanceMetrics": list(_metrics(line.evaluation))}
    return card


def _metrics(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for measure in evaluation.measures.values():
        for who, estimate in (("base", measure.base), ("tuned", measure.tuned)):
            if estimate:
                numbers = (estimate.value, estimate.low, estimate.high)
                value, low, high = (f"{each:.{measure.digits}f}" for each in numbers)
                yield {
                    "type": measure.title + " in per cent" * measure.percent,
                    "value": value,
                    "slice": f"{who}, {estimate.cases} held-out conversations",
                    "confidenceInterval": {"lowerBound": low, "upperBound": high},
                }


def _base(line: Line) -> Iterator[dict[str, Any]]:
    if line.job is None:
        return
    for ref, kind, reference in ((_BASE, "machine-learning-model", line.job.base),
                                 (_COMPONENT, "application", line.job.component)):  # fmt: skip
        if reference:
            name, _, version = shown(reference).partition(" ")[0].rpartition(":")
            part = {"type": kind, "bom-ref": ref, "name": name or version, **({"version": version} if name else {})}
            licence = [{"license": {"name": line.license}}] if ref == _BASE and line.license else []
            yield {**part, **({"licenses": licence} if licence else {}), "properties": _properties({"id": reference})}


def _data(line: Line) -> Iterator[dict[str, Any]]:
    facts = line.facts
    for each in line.data:
        told = {"rows": each.rows, "bytes": each.size}
        told |= {"tokens": facts.splits[each.split].tokens} if facts else {}
        source = {"source": facts.source, "revision": facts.revision, "commit": facts.commit or ""} if facts else {}
        yield {
            "type": "data",
            "bom-ref": f"data-{each.split}",
            "name": each.name,
            "version": each.version,
            "hashes": [{"alg": "SHA-256", "content": each.sha256}],
            "data": [{"type": "dataset", "name": each.split, "contents": {"properties": _properties(told)}}],
            "properties": _properties(source),
        }


def _packages(model: Model) -> Iterator[dict[str, Any]]:
    """Yields the packages that a deployment of the model installs, with the versions that are pinned."""
    seen = set()
    for package in model.packages:
        found = _PINNED.match(package)
        name = re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""  # as PyPI tells names apart
        if not found or name in seen:
            continue
        seen.add(name)
        version = found[2] or ""
        yield {
            "type": "library",
            "bom-ref": f"package-{name}",
            "name": name,
            **({"version": version} if version else {}),
            "purl": f"pkg:pypi/{name}{f'@{version}' if version else ''}",
            "properties": _properties({"asked": _ACCESS.sub("", package)}),
        }


def _properties(told: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": str(value)} for name, value in told.items() if str(value)]
