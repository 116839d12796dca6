"""The catalog: facts about Azure that ship with the project, each file with its sources and dates, and its one reader."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@functools.cache
def read_catalog(name: str) -> dict[str, Any]:
    """Returns the content of a file of the catalog, such as `prices.json`."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
