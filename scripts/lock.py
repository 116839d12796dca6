"""`python -m scripts.lock --env ENV`: asks the live registry and workspace, and pins what they say.

It writes environments/<env>.lock.yaml: the model's exact version, lists and dates, the component's version and typed
interface, and the sizes that the values choose, each with the day it was seen. Rendering then reads the lock and never
the network. The model version that `make promote` let through stays. `--check` changes nothing and reports what is
newer; exit 1 if anything is.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.azure import machine_sizes
from scripts.azure import retail_prices as retail
from scripts.azure.catalog import plain
from scripts.azure.chat_models import Model
from scripts.azure.component import COMPONENT
from scripts.azure.live import Live
from scripts.azure.lock_file import lock_path, to_text
from scripts.azure.machine_sizes import PinnedPrice, Size
from scripts.errors import FAILED, MISSING, CouldNotAskError, UserError, main, suggest
from scripts.estimate.run import SIZE_KEYS
from scripts.files import ROOT
from scripts.files import read as read_file
from scripts.files import write as write_file
from scripts.strict_yaml import read_yaml
from scripts.targets import command
from scripts.values.read import Values, from_arguments, parser_of


def pin(
    values: Values, live: Live, today: datetime.date, prices: str = retail.ENDPOINT
) -> tuple[dict[str, Any], list[str]]:
    """Returns the lock's content, and a note for everything that could not be read."""
    day = today.isoformat()
    notes: list[str] = []
    lock: dict[str, Any] = {"seen": day}
    model = values.data["model"]
    if not model.get("huggingface_id"):
        lock["model"] = plain(dataclasses.replace(_model(values, live), seen=day))
    component = live.component(COMPONENT)
    if component is None:
        raise UserError(f"registry {model['registry']} has no component {COMPONENT}; check model.registry", MISSING)
    lock["component"] = dataclasses.replace(component, seen=day).as_row()
    lock["sizes"] = {}
    for key in SIZE_KEYS.values():
        section, name = key.split(".")
        size = _size(values, live, key, values.data[section][name], notes)
        if size is None or size.name in lock["sizes"]:
            continue
        price = None
        try:
            price = retail.per_hour(size.name, live.region, today, prices)
            if price is None:
                notes.append(f"{size.name}: Azure's price list has no price of it in {live.region}")
        except CouldNotAskError as error:
            notes.append(f"{size.name}: no price pinned ({error}); the dated catalog's counts")
        pinned = dataclasses.replace(size, seen=day, price=PinnedPrice(**price) if price else None)
        lock["sizes"][size.name] = plain(pinned)
    return lock, list(dict.fromkeys(notes))


def _model(values: Values, live: Live) -> Model:
    wanted, where = values.data["model"], values.where("model.version")
    version = None if wanted.get("version") in (None, "latest") else wanted["version"]
    found = live.model(wanted["name"], version)
    if found is None:
        newest = live.model(wanted["name"]) if version else None
        hint = f'; its newest is "{newest.version}"' if newest else ", or the name is misspelt"
        raise UserError(
            f"{where}: model.version: registry {wanted['registry']} has no {wanted['name']} version {version}{hint}",
            MISSING,
        )
    return found


def _size(values: Values, live: Live, key: str, name: str, notes: list[str]) -> Size | None:
    offered = live.sizes.get(name.lower())
    if offered is None:
        notes.append(
            f"{values.where(key)}: {key}: {live.region} does not offer {name}"
            f"{suggest(name, (size.name for size in live.sizes.values()))}; not pinned"
        )
        return None
    known = machine_sizes.catalog().get(name.lower())
    if known is None:
        return dataclasses.replace(offered, gpu="GPU of a kind not in the catalog")
    told = ("family", "gpus_per_node", "vcpus", "memory_gb", "disk_gib", "low_priority")  # by the live region
    return dataclasses.replace(known, **{each: value for each in told if (value := getattr(offered, each))})


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yields `path: old -> new` for everything that differs, the days on which it was seen aside."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            if key != "seen":
                yield from differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif old != new:
        yield f"{path}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("lock", "Pin what the live registry says.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and say what is newer")
    parser.add_argument("--today", type=datetime.date.fromisoformat, metavar="DATE", default=datetime.date.today())
    parser.add_argument("--prices", default=retail.ENDPOINT, metavar="URL", help="another address of the price list")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    return write(values, Live(values), options.today, options.prices, options.check)


def write(values: Values, live: Live, today: datetime.date, prices: str, check: bool, root: Path = ROOT) -> int:
    """Writes or compares the lock of an environment; returns the exit code."""
    path = lock_path(values.environment, root)
    name = path.relative_to(root).as_posix()
    try:
        old = read_yaml(path, name=name)[0] if path.exists() else {}
    except UserError as error:  # what cannot be read is written anew
        if check:
            raise
        print(f"note: {error}; written anew, without a promotion that stood there: git has it", file=sys.stderr)
        old = {}
    kept = {"promoted": old["promoted"]} if "promoted" in old else {}
    if check and old == kept:
        raise UserError(f"{name}: not there yet; {command('lock', values.environment)} writes it", MISSING)
    try:
        lock, notes = pin(values, live, today, prices)
    except CouldNotAskError as error:
        raise CouldNotAskError(f"{error}; a rehearsal needs no account: add BACKEND=local") from None
    lock |= kept
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    changed = list(differences(old, lock))
    for line in changed if old != kept else ():
        print(line)
    if check:
        print(
            f"{name}: "
            + (
                f"{len(changed)} differences; {command('lock', values.environment)} pins them"
                if changed
                else "nothing is newer"
            )
        )
        return FAILED if changed else 0
    text = to_text(lock, values.environment)
    if read_file(path, "move it away") != text.encode():
        write_file(path, text)
    print(f"{name}: pinned {_summary(lock)}; render and commit it ({command('render', values.environment)})")
    return 0


def _summary(lock: dict[str, Any]) -> str:
    model, component = lock.get("model"), lock["component"]
    parts = [f"{model['name']} {model['version']}"] if model else []
    return ", ".join([*parts, f"{component['component']} {component['version']}", *lock["sizes"]])


if __name__ == "__main__":
    main(run)
