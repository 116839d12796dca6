"""The same preparation as a step of the Azure ML pipeline, for data that outgrows the machine of the user.

The step's outputs are files (uri_file) that the fine-tuning step reads; the settings come as one JSON file, so that the
command line holds nothing that a value could change the structure of.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from scripts.dataset import terminal
from scripts.dataset.manifest import MANIFEST, REPORT
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.errors import MISSING, UserError


def prepare_in_pipeline(path: Path, source: str | None, outputs: dict[str, Path | None], report: Path | None) -> int:
    """Prepares `source` (default: what the settings name) and copies each file to the output that Azure ML mounted."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--settings: {path}: no such file", MISSING) from None
    except ValueError as error:
        raise UserError(f"--settings: {path}: not JSON ({error})") from None
    # Mounted outputs take whole files in one go, but no renames: the work is done on the node's own disk.
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        settings = from_values(values, source=source)
        code, manifest, _ = prepare(settings, folder, say=lambda line: print(line, flush=True))
        terminal.manifest(manifest, folder, "text")
        if code:
            return code
        for part, target in outputs.items():
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / f"{part}.jsonl", target)
        if report is not None:
            report.mkdir(parents=True, exist_ok=True)
            for name in (MANIFEST, REPORT):
                shutil.copyfile(folder / name, report / name)
    return 0
