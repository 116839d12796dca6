"""The values beyond their schema: what Azure has none of, what belongs to another model, what nobody can mean.

Nobody is asked: the catalog and the lock are all that is known here.
"""

from __future__ import annotations

from collections.abc import Iterator

from scripts.azure import limits, registries
from scripts.azure.regions import REGIONS
from scripts.errors import suggest
from scripts.strict_yaml import value_at
from scripts.targets import command
from scripts.validate.documents import Finding
from scripts.values.facts import Facts
from scripts.values.read import Values

RATE = "finetune.learning_rate"


def check(values: Values, facts: Facts) -> Iterator[Finding]:
    """Yields what of the values cannot be meant, each at the line where it was written."""
    yield from _places(values)
    yield from _version(values, facts)
    yield from _numbers(values, facts)


def _places(values: Values) -> Iterator[Finding]:
    region, registry = (str(value_at(values.data, key)) for key in ("azure.region", "model.registry"))
    if region not in REGIONS:
        yield _finding(values, "azure.region", f"found {region}, no region of Azure's{suggest(region, REGIONS)}")
    if hint := registries.misspelt(registry):
        yield _finding(values, "model.registry", f"found {registry}, no public registry{hint}")


def _version(values: Values, facts: Facts) -> Iterator[Finding]:
    model, known = values.data["model"], facts.known_versions
    if values.strange_name:
        hub = model["huggingface_id"]
        yield _finding(
            values,
            "model.name",
            f"found {model['name']}, which was written for another model than {hub} "
            f"({values.where('model.huggingface_id')}); give model.name beside model.huggingface_id: "
            f"{str(hub).rpartition('/')[2]}",
        )
    if model.get("huggingface_id") or facts.model.version in known:
        return
    version, name = facts.model.version, facts.model.name
    take = "; take " + " or ".join(f'"{each}"' for each in known) if known else ""
    if values.inherits("model.version", "model.name"):
        yield _finding(
            values,
            "model.version",
            f"found {version}, which was written for another model than {name} ({values.where('model.name')}); "
            f"give model.version beside model.name{take}",
        )
        return
    yield _finding(
        values,
        "model.version",
        f"found {version}, of which neither the catalog nor the lock knows for {name}{take}, or run "
        f"{command('lock', values.environment)}, which asks the registry",
    )


def _numbers(values: Values, facts: Facts) -> Iterator[Finding]:
    for key, limit in limits.usual().items():
        found = value_at(values.data, key)
        if isinstance(found, bool) or not isinstance(found, int | float):
            continue
        if key == RATE:
            own = facts.model.model_specific_defaults
            low, high = own.get("learning_rate_min") or limit.least, own.get("learning_rate_max") or limit.most
            if limits.far_out(float(found), float(low or 0), float(high or 1)):
                yield _finding(values, key, f"found {found:g}, {limits.FAR} times or more outside {low} to {high}")
        elif not limit.holds(found):
            yield _finding(values, key, f"found {found}, expected {limit.words}: {limit.why}")


def _finding(values: Values, key: str, sentence: str) -> Finding:
    return Finding(values.where(key), key, sentence)
