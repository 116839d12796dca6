"""`settings.yaml` in the home: what differs from machine to machine; first made from the file beside this one."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from scripts.azure import machine_sizes
from scripts.azure.machine_sizes import family_key
from scripts.conversation import answer
from scripts.errors import UserError, suggest
from scripts.files import write_private
from scripts.strict_yaml import read_yaml

TEMPLATE = Path(__file__).with_name("settings.yaml")
LARGEST = 10**9  # of all numbers in it: more is a slip of the hand
Place = Callable[[str], str]  # file, line and key
DEFAULTS = yaml.safe_load(TEMPLATE.read_text())


def _number(key: str, smallest: float) -> Any:
    """Makes the field of a key in the file, with its smallest allowed value; a whole number where that is an int."""
    section, _, name = key.partition(".")
    return dataclasses.field(default=DEFAULTS[section][name], metadata={"key": key, "smallest": smallest})


def _choice(key: str, *allowed: Any) -> Any:
    """Makes the field of a key that has one of a few values."""
    section, _, name = key.partition(".")
    return dataclasses.field(default=DEFAULTS[section][name], metadata={"key": key, "allowed": allowed})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The checked settings; see settings.yaml beside this file for what each means."""

    max_tokens: int = _number("training.max_tokens", 0)
    max_steps: int = _number("training.max_steps", 0)
    training_threads: int = _number("training.threads", 0)
    parallel_jobs: int = _number("training.parallel_jobs", 1)
    serving_threads: int = _number("serving.threads", 0)
    max_batch: int = _number("serving.max_batch", 1)
    cache_mb: int = _number("serving.cache_mb", 1)
    ready_seconds: float = _number("serving.ready_seconds", 1.0)
    answer_shape: str = _choice("serving.answer_shape", "auto", *answer.SHAPES)
    start_scale: float = _number("serving.start_scale", 0.001)
    delete_waits_seconds: float = _number("serving.delete_waits_seconds", 0.0)
    name_held_seconds: float = _number("serving.name_held_seconds", 0.0)
    cores_per_family: int = _number("quota.cores_per_family", 0)
    total_cores: int = _number("quota.total_cores", 0)
    low_priority_cores: int = _number("quota.low_priority_cores", 0)
    clusters: int = _number("quota.clusters", 0)
    lro_seconds: float = _number("operations.lro_seconds", 0.0)
    datastore_auth: str = _choice("workspace.datastore_auth", "accesskey", "identity")
    logged_models: bool = _choice("tracking.logged_models", True, False)
    base_models: dict[str, str] = dataclasses.field(default_factory=dict)
    family_cores: dict[str, int] = dataclasses.field(default_factory=dict)

    def base_model(self, *names: str) -> str | None:
        """Returns the folder of the first name that `base_models` has (case does not matter), or None."""
        folders = {name.lower(): folder for name, folder in self.base_models.items()}
        return next((folders[name.lower()] for name in names if name.lower() in folders), None)

    def family_limit(self, family: str) -> int:
        """Returns the cores that may be used in a family of sizes."""
        limits = {family_key(name): cores for name, cores in self.family_cores.items()}
        return limits.get(family_key(family), self.cores_per_family)


NUMBERS = {field.metadata["key"]: field for field in dataclasses.fields(Settings) if field.metadata}


def load(path: Path) -> Settings:
    """Reads the settings, making the file with its defaults where there is none; raises UserError for what is wrong."""
    if not path.exists():
        write_private(path, TEMPLATE.read_text())
    data, lines = read_yaml(path, name=str(path))
    at = functools.partial(_place, path, lines)
    fields: dict[str, Any] = {}
    sections = list(dict.fromkeys(key.partition(".")[0] for key in NUMBERS))
    for section, content in _mapping(at, "", data, [*sections, "base_models"]).items():
        if section == "base_models":
            fields["base_models"] = _base_models(at, content)
            continue
        keys = [key.partition(".")[2] for key in NUMBERS if key.startswith(f"{section}.")]
        keys += ["families"] if section == "quota" else []
        for key, value in _mapping(at, section, content, keys).items():
            if key == "families":
                fields["family_cores"] = _families(at, value)
            else:
                field, where = NUMBERS[f"{section}.{key}"], f"{section}.{key}"
                if "allowed" in field.metadata:
                    fields[field.name] = _chosen(at, where, value, field.metadata["allowed"])
                else:
                    fields[field.name] = _checked(at, where, value, field.metadata["smallest"])
    return Settings(**fields)


def _place(path: Path, lines: dict[str, int], where: str) -> str:
    return f"{path}:{lines[where]}: {where}" if where in lines else f"{path}: {where}"


def _mapping(at: Place, where: str, value: Any, allowed: list[str] | None) -> dict[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise UserError(f"{at(where)} must be a mapping, not {value!r}.")
    for key in value:
        if allowed is not None and key not in allowed:
            place = f"{where}.{key}" if where else key
            raise UserError(f"{at(place)}: unknown key{suggest(key, allowed)}; allowed are {', '.join(allowed)}.")
    return value


def _chosen(at: Place, where: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if type(value) is not type(allowed[0]) or value not in allowed:
        words = ", ".join(str(each).lower() if isinstance(each, bool) else each for each in allowed)
        raise UserError(f"{at(where)} is {value!r}; allowed are {words}{suggest(str(value), map(str, allowed))}.")
    return value


def _checked(at: Place, where: str, value: Any, smallest: float) -> Any:
    kinds = (int,) if isinstance(smallest, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not smallest <= value <= LARGEST:
        kind = "a whole number" if kinds == (int,) else "a number"
        raise UserError(f"{at(where)} is {value!r}; allowed is {kind} from {smallest:g} to {LARGEST:g}.")
    return value


def _families(at: Place, value: Any) -> dict[str, int]:
    known = {family_key(size.family): size.family for size in machine_sizes.catalog().values()}
    families = _mapping(at, "quota.families", value, None)
    for name in families:
        if family_key(str(name)) not in known:
            raise UserError(
                f"{at(f'quota.families.{name}')}: the catalog has no size of such a family"
                f"{suggest(name, known.values())}; allowed are {', '.join(sorted(known.values()))}."
            )
    return {name: _checked(at, f"quota.families.{name}", cores, 0) for name, cores in families.items()}


def _base_models(at: Place, value: Any) -> dict[str, str]:
    models = _mapping(at, "base_models", value, None)
    for name, folder in models.items():
        if not isinstance(folder, str) or not (Path(folder).is_absolute() and Path(folder).is_dir()):
            raise UserError(
                f"{at(f'base_models.{name}')} is {folder!r}; allowed is the absolute path of a folder that exists."
            )
    return models
