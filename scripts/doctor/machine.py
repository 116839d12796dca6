"""Checks of this machine: programs and their versions, disk space, PyTorch, the local Azure ML."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from scripts.azure.az_extension import number
from scripts.files import ROOT
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

SECONDS = 30
ROOM_GB = {False: 3.0, True: 1.0}  # what is needed, by whether the packages are installed: they take 1.8 GB
GROUPS = ("core", "observe", "local", "dev")


@cache
def known() -> dict[str, Any]:
    """Returns what is known of versions, by program."""
    programs: dict[str, Any] = json.loads(Path(__file__).with_name("versions.json").read_text(encoding="utf-8"))
    return programs["programs"]


def judged(program: str, found: str) -> Finding:
    """Returns whether a version is new enough, and whether it is among those that were tried."""
    about = known()[program]
    least, tried = about["least"], about["tried"]
    if number(found) < number(least):
        return failed(f"{program} {found} is older than {least}", about["remedy"])
    of_its_kind = [each for each in tried if number(each)[:2] == number(found)[:2]]
    return passed(f"{program} {found}" + ("" if of_its_kind else f" (tried: {', '.join(tried)})"))


def python(_: Context) -> Finding:
    """Fails for a Python that is too old: this one, which the environment was made with."""
    return judged("Python", platform.python_version())


def make(_: Context) -> Finding:
    """Fails where there is no GNU make, or one that is too old."""
    return _program("GNU make", "make", r"GNU Make (\S+)")


def git(_: Context) -> Finding:
    """Fails where there is no git."""
    return _program("git", "git", r"git version (\S+)")


def _program(name: str, command: str, version: str) -> Finding:
    path = shutil.which(command)
    if path is None:
        return failed(f"there is no {command}", known()[name]["remedy"])
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return warned(f"{path} does not say its version", known()[name]["remedy"])
    found = re.search(version, done.stdout)
    return judged(name, found[1]) if found else warned(f"{path} is no {name}", known()[name]["remedy"])


def disk(_: Context) -> Finding:
    """Fails where the disk that holds the project has no room for packages, or for a model and its copies."""
    free, needed = shutil.disk_usage(ROOT).free / 1e9, ROOM_GB[_version("torch") is not None]
    if free < needed:
        return failed(f"{free:.1f} GB free where the project is; {needed:g} GB are needed", "make room")
    return passed(f"{free:.0f} GB free where the project is")


def torch(_: Context) -> Finding:
    """Says which build of PyTorch is there: only the local Azure ML and make evaluate need one."""
    found = _version("torch")
    if found is None:
        return skipped("PyTorch is not installed yet: the first target that needs it does so (make demo)")
    kind = "its CPU build" if "+cpu" in found or sys.platform == "darwin" else "a build with CUDA or the like"
    return passed(f"PyTorch {found}, {kind}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def local(_: Context) -> Finding:
    """Says whether the local Azure ML runs; it is asked, not started."""
    if _version("psutil") is None:
        return skipped("the local Azure ML's packages are not installed yet (make demo)")
    command = [sys.executable, "-m", "scripts.local", "status", "--output", "json"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
        said = json.loads(done.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return warned("the local Azure ML does not say whether it runs", "make local-status")
    if said.get("pid") is None:
        return passed("the local Azure ML does not run; BACKEND=local starts it")
    return passed(f"the local Azure ML runs: process {said['pid']}, {len(said['endpoints'])} endpoints")
