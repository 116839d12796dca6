"""The same preparation as a step of the Azure ML pipeline, for data that outgrows the machine of the user.

The step's outputs are files (uri_file) that the fine-tuning step reads; the settings come as one JSON file, so that the
command line holds nothing that a value could change the structure of.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.dataset import terminal
from scripts.dataset.manifest import MANIFEST, REPORT
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import HELDOUT, PARTS, from_values
from scripts.dataset.writer import room
from scripts.errors import MISSING, UserError

UNKNOWN = (  # the values' machines and prices stay at home
    "a step of the pipeline knows neither machine nor price; once data-report has brought its manifest to data/, "
    "preflight estimates hours and cost of the job from it"
)


def prepare_in_pipeline(words: Sequence[str]) -> int:
    """The command `component`: prepares the input and copies each file to the output that Azure ML mounted."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dataset component")
    parser.add_argument("--settings", type=Path, required=True, help="JSON with dataset, model and finetune")
    parser.add_argument("--input", help="file or folder mounted by Azure ML; default: dataset.source, from the hub")
    for part in PARTS:
        parser.add_argument(f"--{part}", type=Path, required=part != HELDOUT, help="file to write")
    parser.add_argument("--report", type=Path, help="folder for manifest.json and report.html")
    given = parser.parse_args(words)
    settings = from_values(_read_values(given.settings), source=given.input)
    # Mounted outputs take whole files in one go, but no renames: the work is done on the node's own disk.
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        code, manifest, _ = prepare(
            settings, folder, say=lambda line: print(line, flush=True), plan=lambda manifest: {"unknown": UNKNOWN}
        )
        terminal.outcome(manifest, folder)
        if code:
            return code
        outputs = {f"{part}.jsonl": getattr(given, part) for part in PARTS}
        if given.report is not None:
            outputs |= {name: given.report / name for name in (MANIFEST, REPORT)}
        for name, target in outputs.items():
            if target is not None:
                with room(target.parent):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(folder / name, target)
    return 0


def _read_values(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--settings: {path}: no such file", MISSING) from None
    except ValueError as error:
        raise UserError(f"--settings: {path}: not JSON ({error})") from None
    return values
