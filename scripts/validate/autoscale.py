"""Rules of autoscaling that contradict each other, or the number of machines beside them."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.azure.autoscale import DEPLOYMENT_METRICS
from scripts.validate.documents import Finding
from scripts.values.read import Values

KEY = "deployment.autoscale"


def check(values: Values) -> Iterator[Finding]:
    """Yields what cannot be meant; numbers out of range and words that are none the schema has refused."""
    rules, count = values.data["deployment"].get("autoscale"), values.data["deployment"]["instance_count"]
    if not rules:
        return
    least, most, grows, shrinks = rules["min"], rules["max"], rules["scale_out"], rules["scale_in"]
    if least > most:
        yield _finding(values, "min", f"found {least}, more than max, {most}")
    elif not least <= count <= most:
        key = "deployment.instance_count"
        yield Finding(values.where(key), key, f"found {count}, expected {least} to {most}, as {KEY} has it")
    if grows["metric"] in DEPLOYMENT_METRICS and grows["above"] >= 100:
        never = "expected less than 100: it is in per cent, so that no machine would ever be added"
        yield _finding(values, "scale_out.above", f"found {grows['above']:g}, {never}")
    if grows["metric"] == shrinks["metric"] and shrinks["below"] >= grows["above"]:
        yield _finding(
            values, "scale_in.below",
            f"found {shrinks['below']:g}, expected less than {grows['above']:g}, above which machines are added: they "
            "would come and go by turns",
        )  # fmt: skip


def _finding(values: Values, key: str, sentence: str) -> Finding:
    return Finding(values.where(f"{KEY}.{key}"), f"{KEY}.{key}", sentence)
