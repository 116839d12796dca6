"""The repository itself: line ends, licence, pins, packages that the linter sees, and one list of checks."""

import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([\w.-]+)==([\w.]+)", CONSTRAINTS, re.M))  # names as canonicalize_name writes them
WITHOUT_HASH = {"torch"}  # whose builds differ by index


def test_a_clone_of_git_for_windows_has_the_same_bytes(tmp_path: Path):
    """`core.autocrlf=true` there would make every rendered file stale, and every script's first line wrong."""
    names = [".gitattributes", "pipelines/dev/compute.yml", "endpoints/dev/endpoint.yml", ".ci/run", "values.yaml"]
    origin = tmp_path / "origin"
    for name in names:
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_bytes((ROOT / name).read_bytes())

    def git(*words: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, *words], cwd=origin, check=True, capture_output=True)

    git("init", "-q")
    git("add", "--all")
    git("commit", "-qm", "all")
    git("clone", "-q", "-c", "core.autocrlf=true", ".", str(tmp_path / "clone"))
    for name in names:
        assert (tmp_path / "clone" / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_licence_is_the_one_that_the_project_names():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{PROJECT['project']['license']} License\n")


def direct(*groups: str) -> list[Requirement]:
    """Returns the packages that groups of pyproject.toml name, or all of them."""
    chosen = [PROJECT["dependency-groups"][name] for name in groups or PROJECT["dependency-groups"]]
    return [Requirement(entry) for group in chosen for entry in group if isinstance(entry, str)]


def closure(*groups: str) -> set[str]:
    """Returns the names of the packages of groups, with all that they bring along on this machine."""
    waiting, seen = direct(*groups), set()
    while waiting:
        requirement = waiting.pop()
        for extra in {"", *requirement.extras}:
            wanted = (canonicalize_name(requirement.name), extra)
            if wanted not in seen:
                seen.add(wanted)
                needed = [Requirement(text) for text in distribution(wanted[0]).requires or ()]
                waiting += [each for each in needed if not each.marker or each.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def test_every_package_is_pinned_and_the_constraints_agree():
    for requirement in direct():
        if requirement.name not in WITHOUT_HASH:
            assert str(requirement.specifier) == f"=={PINNED[canonicalize_name(requirement.name)]}", requirement


def test_the_constraints_pin_all_that_the_packages_bring_along():
    here = set(PROJECT["dependency-groups"]) - {"bench", "demo-model"}  # `make bench-data`'s; one without its own
    assert closure(*here) - set(PINNED) == WITHOUT_HASH


def test_every_constraint_has_a_hash_and_names_a_package_once():
    entries = re.split(r"\n(?=\S)", CONSTRAINTS.partition("\n")[2].strip())
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)
    assert len(entries) == len(PINNED)


def test_what_torch_brings_along_comes_with_hashes():
    """`make` installs torch itself without them, and would take what it brings along without them too."""
    brought = closure("torch") - WITHOUT_HASH
    assert brought <= closure("core", "observe", "beside-torch") | {"setuptools"}


def test_make_installs_nothing_but_torch_without_hashes():
    for group in ("core", "observe", "local", "dev", "bench"):
        command = ["make", "-n", "-B", "--no-print-directory", f".venv/.installed-{group}"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        calls = re.findall(r"-m pip install ([^&|]*)", shown)
        assert calls and [call for call in calls if "--require-hashes" not in call] == [], group
        assert ("-m scripts.torch_wheels" in shown) == (group not in ("core", "observe")), group


def test_the_linter_of_imports_sees_every_module():
    """It sees only packages, so that a folder of modules without `__init__.py` would be under no contract."""
    folders = {path.parent for path in (ROOT / "scripts").rglob("*.py")}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").exists()) == []


def test_continuous_integration_and_a_pull_request_run_make_check():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = yaml.safe_load((ROOT / ".github/workflows/pull-request.yml").read_text(encoding="utf-8"))
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert re.findall(r"^make .*", script, re.M) == runs == ["make check"]


def test_actions_are_pinned_by_commit():
    for path in (ROOT / ".github").rglob("*.yml"):
        for use in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8")):
            if use.startswith("$/"):  # this repository's own, of the same commit
                assert (ROOT / use.removeprefix("$/")).exists(), use
            else:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", use), use


def test_make_check_validates_every_environment():
    command = ["make", "-n", "--no-print-directory", "check"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in (ROOT / "environments").glob("*.yaml"):
        if not path.name.endswith((".lock.yaml", ".data.yaml")):
            assert f"-m scripts.validate --env {path.stem}" in shown, path
    for program in ("ruff check", "ruff format --check", "mypy", "lint-imports", "zizmor", "render --check", "pytest"):
        assert program in shown, program
