"""Faults on purpose: what fails in the cloud, made to fail here, to see how a pipeline and its commands take it.

faults.yaml beside this file has the table, with Azure's words and who saw them. `python -m scripts.local fault NAME`
sets one (`--times 1`: only once), `--clear` removes it; what is set is kept in `faults.yaml` in the home, so that a
test or a person can also write it by hand.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import UserError, suggest
from scripts.files import write_private
from scripts.local.core.state import State
from scripts.local.core.web import AzureError, inferencing

GUIDE = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row of the table; faults.yaml says what its keys mean."""

    at: str
    help: str
    source: str
    status: int = 200
    code: str = ""
    message: str = ""
    detail: str = ""
    key: str = ""
    command: str = ""
    shows: str = ""

    def error(self, **words: Any) -> AzureError:
        """Returns the failure; `words` fill the message."""
        message = self.message.format(**words)
        if self.detail:
            return inferencing(message, self.key, self.detail, self.status)
        return AzureError(self.status, self.code, message)


TABLE = Path(__file__).with_name("faults.yaml")
FAULTS = {name: Fault(**row) for name, row in yaml.safe_load(TABLE.read_text()).items()}
SLOW_SECONDS = 10.0


def read(path: Path, strict: bool = True) -> dict[str, dict[str, Any]]:
    """Returns the faults that are set: name -> {"times": how often it still happens, or None for ever}.

    One that does not exist is a UserError; where not `strict` it is left out, as an older home may hold it.
    """
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError):
        data = None
    if not isinstance(data, dict) or not all(_sound(value) for value in data.values()):
        raise UserError(f"{path}: must be a mapping of fault names, such as 'probe-failed: {{times: 1}}'.")
    for name in data if strict else ():
        check(name)
    return {name: dict(value or {}) for name, value in data.items() if name in FAULTS}


def _sound(value: Any) -> bool:
    """Says whether a fault is set as it can be: for ever, or so many times."""
    return not value or (isinstance(value, dict) and set(value) <= {"times"} and type(value.get("times", 1)) is int)


def check(name: str) -> None:
    """Raises UserError for a fault that does not exist."""
    if name not in FAULTS:
        raise UserError(f"There is no fault {name!r}{suggest(name, FAULTS)}; there are {', '.join(FAULTS)}.")


def write(path: Path, faults: dict[str, dict[str, Any]]) -> None:
    """Stores the faults that are set; without any the file goes."""
    if faults:
        write_private(path, yaml.safe_dump(faults))
    else:
        path.unlink(missing_ok=True)


def happening(state: State, at: str) -> Fault | None:
    """Returns the fault that is set for a place, counting it down, or None (almost always: one look for a file)."""
    faults = read(state.home.faults, strict=False)
    for name, content in faults.items():
        if FAULTS[name].at == at:
            if content.get("times"):
                content["times"] -= 1
                if not content["times"]:
                    del faults[name]
                write(state.home.faults, faults)
            return FAULTS[name]
    return None


def is_set(state: State, name: str) -> bool:
    """Tells whether a fault is set, for answers that only foretell it (quota, sizes); it does not count down."""
    return name in read(state.home.faults, strict=False)


def inject(state: State, at: str, **words: Any) -> None:
    """Raises the AzureError of the fault that is set for a place, if there is one; `words` fill its message."""
    fault = happening(state, at)
    if fault is not None:
        raise fault.error(**words)


def delay(state: State) -> float:
    """Returns the seconds that a long-running operation is held up on purpose."""
    return SLOW_SECONDS if happening(state, "operation") else 0.0
