"""The Azure CLI's extension ml: which is installed, and in which versions a command of the chain is known to fail.

Facts from catalog/az_extension.json.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import PurePath

from scripts.azure.catalog import read_catalog, record
from scripts.errors import CouldNotAskError, one_line

SECONDS = 60  # az starts slowly, the more so at the first time


@dataclass(frozen=True)
class Broken:
    """A range of versions, and what fails in it; `cli_below` where only an older Azure CLI fails with it."""

    least: str
    most: str
    fails: str
    source: str
    cli_below: str = ""

    def holds(self, extension: str, cli: str) -> bool:
        """Tells whether an installation is in the range."""
        inside = number(self.least) <= number(extension) <= number(self.most)
        return inside and (not self.cli_below or number(cli) < number(self.cli_below))


@dataclass(frozen=True)
class Installed:
    """Versions of the Azure CLI and of its extension; an empty text where there is no extension."""

    cli: str
    extension: str


@functools.cache
def broken() -> tuple[Broken, ...]:
    """Returns the versions that are known to fail."""
    return tuple(record(Broken, row) for row in read_catalog("az_extension.json")["broken"])


TRIED: str = read_catalog("az_extension.json")["tried"]  # the version that this project's chain was run with


def is_official(program: str) -> bool:
    """Tells whether a command line is the Azure CLI's own, by its name, and not what stands in for it."""
    words = program.split()
    return len(words) == 1 and PurePath(words[0]).name.removesuffix(".cmd").removesuffix(".exe") == "az"


def installed(program: str) -> Installed:
    """Returns what `az version` says. Raises CouldNotAskError where there is no such program, or no answer."""
    what, found = f"the version of {program}", shutil.which(program)
    if found is None:
        raise CouldNotAskError("there is no such program; install the Azure CLI", what)
    try:
        command = [found, "version", "--output", "json"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        said = json.loads(ended.stdout[ended.stdout.find("{") :])  # a broken extension is complained of before
        return Installed(str(said["azure-cli"]), str((said.get("extensions") or {}).get("ml", "")))
    except json.JSONDecodeError:
        words = one_line(ended.stderr) or one_line(ended.stdout) or "nothing"
        raise CouldNotAskError(f"its answer is no JSON: {words}", what) from None
    except subprocess.TimeoutExpired:
        raise CouldNotAskError(f"no answer in {SECONDS} s", what) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CouldNotAskError(one_line(error), what) from None


def number(version: str) -> tuple[int, ...]:
    """Returns a version's numbers, for comparing."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
