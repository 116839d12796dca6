"""What a user asked for: the `dataset` values with their defaults, checked where the values' schema cannot."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeGuard

from scripts.dataset.checks import CHECKS
from scripts.errors import UserError, suggest

BY_TEMPLATE = ("template", "calls_lost", "text_lost")  # checks that ask the model's own chat template
ALIKE = ("near_duplicate", "near_leak", "shared_question")  # checks that compare texts
COUNTED = ("too_long", "answers_lost", *BY_TEMPLATE)  # checks that need every row's tokens to drop it
TRAIN, VALIDATION, TEST, HELDOUT = PARTS = ("train", "validation", "test", "heldout")  # the output files
CUT = 0.05  # the share of train that stands in for a split that a plain file does not have


@dataclass(frozen=True)
class Layout:
    """How a row of the source holds its conversation; None is looked up in the rows."""

    format: str = "auto"
    messages: str | None = None
    role: str | None = None
    content: str | None = None
    prompt: str | None = None
    response: str | None = None
    system: str | None = None
    roles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """One preparation. `splits` maps train, validation, test and heldout to a split's name, a fraction or None."""

    source: str = ""
    splits: dict[str, str | float | None] = field(default_factory=dict)
    name: str = "data"
    label: str = "data"
    revision: str = "main"
    subset: str | None = None
    percent: float = 100.0
    sample: str = "seeded"
    seed: int = 42
    layout: Layout = field(default_factory=Layout)
    checks: dict[str, str] = field(default_factory=dict)
    max_left_out: float = 10.0  # percent of the rows read
    tokenizer: str | None = None
    tokens: str = "sample"
    max_seq_length: int = -1
    model: dict[str, Any] = field(default_factory=dict)

    def policies(self) -> dict[str, str]:
        """Returns the policy of every check: what the values say, else the check's own default."""
        return {name: self.checks.get(name) or check.policy for name, check in CHECKS.items()}

    def plain(self) -> dict[str, Any]:
        """Returns everything that decides the output, as plain data for the manifest."""
        return {**asdict(self), "checks": self.policies()}


def from_values(values: dict[str, Any], **changes: Any) -> Settings:
    """Builds the settings from merged values (`dataset`, `finetune`, `model`); `changes` replace single settings."""
    given = {name: value for name, value in values.get("dataset", {}).items() if value is not None}
    given.pop("where", None)
    layout = {name: value for name, value in (given.pop("layout", None) or {}).items() if value is not None}
    _known(layout, [option.name for option in fields(Layout)], "dataset.layout")
    _known(given, [option.name for option in fields(Settings)], "dataset")
    given["layout"] = Layout(**layout)
    given["splits"] = {"train": None, "validation": CUT, "test": CUT, "heldout": None} | (given.get("splits") or {})
    given["checks"] = {name: policy for name, policy in (given.get("checks") or {}).items() if policy is not None}
    given["max_seq_length"] = int((values.get("finetune") or {}).get("max_seq_length") or -1)
    given["model"] = dict(values.get("model") or {})
    given.update({name: value for name, value in changes.items() if value is not None})
    settings = Settings(**given)
    _check(settings)
    return settings


def _known(given: dict[str, Any], allowed: list[str], key: str) -> None:
    for name in given:
        if name not in allowed:
            raise UserError(f"{key}.{name}: unknown key{suggest(name, allowed)}; allowed: {', '.join(allowed)}")


def _check(settings: Settings) -> None:
    if not 0 < settings.percent <= 100:
        raise UserError(f"dataset.percent: found {settings.percent}, expected more than 0 and at most 100")
    if not 0 <= settings.max_left_out <= 100:
        raise UserError(f"dataset.max_left_out: found {settings.max_left_out}, expected a percentage from 0 to 100")
    _known(settings.splits, list(PARTS), "dataset.splits")
    _known(settings.checks, list(CHECKS), "dataset.checks")
    for name, policy in settings.checks.items():
        if policy not in CHECKS[name].allowed:
            allowed = ", ".join(CHECKS[name].allowed)
            raise UserError(f"dataset.checks.{name}: found '{policy}', expected one of {allowed}")
    if settings.tokens != "exact" and "drop" in map(settings.checks.get, COUNTED):
        raise UserError(
            f"dataset.checks: {', '.join(COUNTED)} can drop rows only when every row is counted; "
            "set dataset.tokens: exact, or use keep or fail"
        )
    cuts = [part for part in settings.splits.values() if is_cut(part)]
    if isinstance(settings.splits["train"], int | float):
        raise UserError("dataset.splits.train: found a number, expected the name of a split; only the others are cut")
    if any(not 0 < part < 1 for part in cuts) or sum(cuts) >= 1:
        raise UserError(
            f"dataset.splits: the fractions {cuts} leave nothing to train on; they must add up to less than 1"
        )


def is_cut(part: object) -> TypeGuard[float]:
    """Tells a fraction to cut from train (0.05) from the name of a split."""
    return isinstance(part, int | float) and not isinstance(part, bool)
