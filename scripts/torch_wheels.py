"""`python -m scripts.torch_wheels [--index INDEX]`: installs PyTorch, without CUDA where nothing could run it.

PyTorch's builds differ by index: for Linux PyPI has those with CUDA, gigabytes more than the CPU ones of PyTorch's own
index. That one is taken on Linux without an NVIDIA GPU, where it answers and pip was not told of another source. INDEX
is an address or a folder, or `pip` for what pip finds by itself. It runs before anything is installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from scripts.errors import FAILED, UserError, main
from scripts.files import ROOT

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # https://pytorch.org/get-started/locally
PIPS_OWN = "pip"
GPUS = ("/proc/driver/nvidia/version", "/dev/dxg")  # the driver's own file; Windows' GPU in its Linux
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_TOLD = re.compile(r"^\S*(?:index-url|no-index|find-links)=", re.MULTILINE)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.torch_wheels", description=__doc__)
    parser.add_argument("--index", default="", help="where to take it from: an address, a folder, or pip")
    index = parser.parse_args(arguments).index
    if not index and needs_no_cuda() and not told_an_index():
        print("PyTorch: its CPU wheels, as there is no NVIDIA GPU (TORCH=pip takes pip's own)", flush=True)
        if answers(CPU_WHEELS) and install(CPU_WHEELS):
            return 0
        print("PyTorch: not to be had there; taking pip's own, with CUDA: some 4 GB more", flush=True)
    if index in ("", PIPS_OWN):
        if install():
            return 0
        raise UserError("PyTorch could not be installed: pip's reason stands above", FAILED)
    print(f"PyTorch: from {index}", flush=True)
    if not install(index):
        raise UserError(f"TORCH={index}: PyTorch could not be installed from there: pip's reason stands above", FAILED)
    return 0


def answers(index: str) -> bool:
    """Tells whether an index has PyTorch; one that nobody answers for is not waited for long."""
    command = [*_PIP, "index", "versions", "torch", "--index-url", index, "--timeout", "10", "--retries", "1"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install(index: str = "") -> bool:
    """Installs the group torch, from one index or folder alone where one is named; tells whether it is there then."""
    where: list[str] = []
    if index:  # what it brings along is there, with hashes
        place = ["--no-index", "--find-links", index] if Path(index).is_dir() else ["--index-url", index]
        where = [*place, "--no-deps"]
    return subprocess.run([*_PIP, "install", "-q", *where, "--group", "torch"], cwd=ROOT, check=False).returncode == 0


def needs_no_cuda() -> bool:
    """Tells whether this is Linux without a GPU that CUDA knows."""
    return sys.platform == "linux" and not any(Path(each).exists() for each in GPUS)


def told_an_index() -> bool:
    """Tells whether the user's pip was given a source of packages beside or in place of PyPI: it has its reasons."""
    shown = subprocess.run([*_PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    return bool(_TOLD.search(shown))


if __name__ == "__main__":
    main(run)
