"""`make new`: an environment as another one is, with names of its own; refused in a sentence with the way out."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import new
from scripts.errors import UserError
from scripts.render import render, stale
from scripts.strict_yaml import read_yaml
from scripts.validate import __main__ as validate
from scripts.values import house_limits, names
from scripts.values.read import environments, load
from scripts.workspace import refuse_placeholders
from tests.test_acceptance import copy_of_the_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_the_project(tmp_path)


def content(project: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file() and ".venv" not in path.parts}


@pytest.mark.parametrize("origin", environments())
def test_it_is_as_the_other_one_with_names_of_its_own(project, origin):
    new.create("staging", origin, project)
    old, made = load(origin, root=project), load("staging", root=project)
    assert stale(render(made, project), "staging", project) == []
    for values in (old, made):
        values.data["azure"]["workspace"] = "w"
    assert made.data == old.data
    assert names.endpoint_name(made) != names.endpoint_name(old)
    there = (project / "environments" / f"{origin}.yaml").read_text().splitlines()
    text = (project / "environments" / "staging.yaml").read_text()
    comments = [line for line in there if "#" in line and not line.startswith(f"# {origin}: ")]
    assert all(line in text for line in comments) and f"# staging (made from {origin}): " in text
    assert validate.run(["--env", "dev"]) == 0  # of the project itself: nothing of it was touched


@pytest.mark.parametrize("origin", ["dev", "prod", "reference"])
def test_a_placeholder_stays_one(project, origin):
    new.create("staging", origin, project)
    with pytest.raises(UserError, match=r"azure\.subscription_id, azure\.resource_group, azure\.workspace: still"):
        refuse_placeholders(load("staging", root=project))


def test_a_workspace_of_ones_own_stays_too(project):
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text().replace("my-workspace-dev", "team-dev  # ours"))
    new.create("staging", "dev", project)
    assert "  workspace: team-dev  # ours\n" in (project / "environments" / "staging.yaml").read_text()


def test_the_facts_that_are_pinned_go_along(project):
    lock = project / "environments" / "dev.lock.yaml"
    lock.write_text("seen: 2026-11-01\n")
    (project / "environments" / "dev.yaml").write_text((project / "environments" / "dev.yaml").read_text())
    new.create("staging", "dev", project)
    assert (project / "environments" / "staging.lock.yaml").read_text() == lock.read_text()


def test_the_limits_that_were_copied_go_along_byte_for_byte(project):
    shared = b"# dev: what the house allows\nlimits: {max_job_hours: 9}\n"
    address = f"https://example.com/l.yaml#sha256={hashlib.sha256(shared).hexdigest()}"
    path = project / "environments" / "dev.yaml"
    path.write_text(f"{path.read_text()}limits_from: {address}\n")
    house_limits.copy_path("dev", project).write_bytes(house_limits._HEAD.format(address=address).encode() + shared)
    new.create("staging", "dev", project)
    (found,) = house_limits.read(load("staging", root=project), project)
    assert found.data == {"max_job_hours": 9}


@pytest.mark.parametrize(
    ("name", "origin", "said"),
    [
        ("dev", "prod", "environments/dev.yaml: is there already; .* make new ENV=dev-2 FROM=dev"),
        ("Dev", "prod", "environments/dev.yaml: is there already"),  # the same file on a Mac
        ("", "dev", "new: say what the environment is called: make new ENV=staging"),
        ("a b", "dev", "a name has 1 to 16 letters"),
        ("../x", "dev", "a name has 1 to 16 letters"),
        ("a" * 17, "dev", "a name has 1 to 16 letters"),
        ("staging", "nix", "there is no environment 'nix'"),
        ("gone", "dev", "pipelines/gone/: is there already"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(project, name, origin, said):
    (project / "pipelines" / "gone").mkdir()
    before = content(project)
    with pytest.raises(UserError, match=said):
        new.create(name, origin, project)
    assert content(project) == before


def test_what_cannot_be_rendered_is_not_left_behind(project):
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text().replace('version: "8"', "version: latest"))
    before = content(project)
    with pytest.raises(UserError, match="make lock"):
        new.create("staging", "dev", project)
    assert content(project) == before


def test_make_says_what_is_next_in_few_lines(project):
    def make(*words: str) -> subprocess.CompletedProcess[str]:
        venv = Path(sys.executable).parent.parent
        old = ["-o", f"{venv}/.installed-core"]
        command = ["make", "--no-print-directory", *old, f"VENV={venv}", *words]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    done = make("new", "ENV=staging", "FROM=prod")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and 3 <= len(lines) <= 4 and max(map(len, lines)) <= 80, done.stderr
    assert re.search(r"^next: ", done.stdout, re.M)
    assert make("validate", "ENV=staging").stdout == "staging: 6 files, no faults\n"
    for words, said in (
        (["new"], "say what the environment is called"),
        (["new", "ENV=staging"], "is there already"),
        (["new", "ENV=$(touch X);"], "a name has"),
        (["new", "ENV=x", "FROM=prd"], "did you mean 'prod'?"),
        (["new", "ENV=x", "SET=a=1"], "SET is for one call"),
        (["gpu", "ENV=nix"], "make new ENV=<name> writes another"),
    ):
        done = make(*words)
        assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not (project / "X").exists() and not read_yaml(project / "environments" / "staging.yaml")[0].get("x")
