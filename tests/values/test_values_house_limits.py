"""The file of limits that projects share: read from a path, or copied once from a pinned address; never raised."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts import render
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.values import house_limits
from scripts.values.read import Values, load

SHARED = b"limits:\n  max_job_cost: 100\n  regions: [eastus]\n"
URL = "https://example.com/limits.yaml"
PINNED = f"limits_from={URL}#sha256={hashlib.sha256(SHARED).hexdigest()}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shipped values, in a folder of their own."""
    for name in ("values.yaml", "values.schema.json"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments" / "prod.yaml", tmp_path / "environments")
    return tmp_path


@pytest.fixture
def served() -> Iterator[list[bytes]]:
    """Answers https://example.com from this machine: what it holds, and one item for each request after that."""
    holds = [SHARED]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = holds[0]
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            holds.append(b"asked")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = house_limits._fetched
    address = f"http://127.0.0.1:{server.server_port}/"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house_limits, "_fetched", lambda values, _url: own(values, address))
        yield holds
    server.shutdown()
    server.server_close()


def values(root: Path, *sets: str) -> Values:
    return load("prod", sets, root)


def refused(root: Path, *sets: str) -> str:
    with pytest.raises(UserError) as error:
        house_limits.read(values(root, *sets), root)
    return str(error.value)


def test_no_limit_is_none(project: Path) -> None:
    assert house_limits.read(values(project), project) == []
    assert not house_limits.take(values(project), project)


def test_a_path_is_read_where_it_is_and_both_files_hold(project: Path) -> None:
    (project / "platform.yaml").write_bytes(SHARED)
    own, shared = house_limits.read(values(project, "limits_from=platform.yaml", "limits.max_job_cost=500"), project)
    assert (own.data["max_job_cost"], own.where("max_job_cost")) == (500, "--set")
    assert (shared.data["max_job_cost"], shared.where("max_job_cost")) == (100, "platform.yaml:2")
    assert shared.where("regions") == "platform.yaml:3"


def test_an_address_is_asked_once_by_render_and_copied(project: Path, served: list[bytes]) -> None:
    wanted = values(project, PINNED)
    assert "not there yet" in refused(project, PINNED)
    assert house_limits.take(wanted, project)
    assert not house_limits.take(wanted, project)
    (shared,) = house_limits.read(wanted, project)
    assert shared.where("max_job_cost") == f"environments/prod.limits.lock.yaml:4, copied from {URL}"
    assert shared.data["max_job_cost"] == 100
    assert served[1:] == [b"asked"]


def test_the_copy_binds_as_long_as_it_is_there(project: Path, served: list[bytes]) -> None:
    house_limits.take(values(project, PINNED), project)
    assert "do not name any more; put limits_from back" in refused(project)
    copy = house_limits.copy_path("prod", project)
    copy.write_text(copy.read_text().replace("100", "900"))
    assert "is not a copy of what limits_from pins (--set); run make render ENV=prod" in refused(project, PINNED)
    assert house_limits.take(values(project, PINNED), project)  # what a hand changed is put right
    moved = PINNED[:-1] + ("0" if PINNED[-1] != "0" else "1")
    assert "is not a copy" in refused(project, moved)
    assert len(served) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"limits: {max_job_cost: 7}\n", "holds another content than the pinned one (its sha256 is "),
        (b"", "answered 404"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_what_the_address_gives_is_held_against_the_pin(
    project: Path, served: list[bytes], content: bytes, said: str
) -> None:
    served[0] = content
    with pytest.raises(UserError) as error:
        house_limits.take(values(project, PINNED), project)
    assert str(error.value).startswith("--set: limits_from: ")
    assert said in str(error.value)
    assert not house_limits.copy_path("prod", project).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("limits: {max_job_costs: 7}", "platform.yaml:1: limits.max_job_costs: unknown key (did you mean"),
        ("max_job_cost: 7", "platform.yaml:1: max_job_cost: unknown key"),
        ("limits: {max_job_cost: 0}", "expected more than 0"),
        ("limits: 7", "found 7, expected a mapping"),
        ("{}", "limits: missing; add it"),
        (
            "\nlimits:\n  required_tags: {owner: '['}",
            "platform.yaml:3: limits.required_tags.owner: found '[', no regular",
        ),
        ("limits: [", "not valid YAML"),
    ],
)
def test_a_shared_file_that_is_wrong_is_named(project: Path, content: str, said: str) -> None:
    (project / "platform.yaml").write_text(content + "\n")
    assert said in refused(project, "limits_from=platform.yaml")


def test_other_places_are_refused(project: Path) -> None:
    assert "there is no file nowhere.yaml" in refused(project, "limits_from=nowhere.yaml")
    for place in ("http://example.com/limits.yaml", URL, f"{URL}#sha256=abc", "file:///etc/limits.yaml",
                  f"https://me:secret@platform.example/limits.yaml#sha256={'a' * 64}"):  # fmt: skip
        with pytest.raises(UserError, match=r"limits_from: found .* expected a file of limits"):
            values(project, f"limits_from={place}")
    assert "no regular expression" in refused(project, "limits.required_tags.owner='('")


def test_rendering_wants_the_copy_and_asks_nobody(project: Path, served: list[bytes]) -> None:
    shutil.copytree(ROOT / "templates", project / "templates")
    wanted = values(project, PINNED)
    with pytest.raises(UserError, match="not there yet"):
        render.render(wanted, project)
    assert len(served) == 1
    house_limits.take(wanted, project)
    assert "pipelines/prod/finetune.yml" in render.render(wanted, project)
