"""Where an export goes: whole or not at all, and nothing of others is replaced."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.export import place, vocabulary, weights
from scripts.files import ROOT
from tests.export.tiny import export, model, names


@pytest.mark.usefixtures("few")
def test_a_proof_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = model(tmp_path / "model"), tmp_path / "out"
    export(folder, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(vocabulary, "SPLITS", ("none such",))
    with pytest.raises(UserError, match=r"nothing is exported: llama\.cpp loads no file with this tokenizer"):
        export(folder, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.usefixtures("few")
def test_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(
        UserError, match=r"/out: 0\.07 GB do not fit into the 0\.00 GB that are free; make room, or RES"
    ):
        export(model(tmp_path / "model"), tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.usefixtures("few")
def test_stopped_half_way_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = model(tmp_path / "model"), tmp_path / "out"
    numbers = weights.numbers

    def stopped(found: weights.Weights) -> Iterator[Any]:
        yield from itertools.islice(numbers(found), 5)
        assert (out / place.PART / "Tiny-mine-3.gguf").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(weights, "numbers", stopped)
        export(folder, out)
    assert names(out) == []
    killed(out)
    assert names(out) == [place.PART]
    export(folder, out)
    assert names(out) == ["Modelfile", "README.md", "Tiny-mine-3.gguf"]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("name", "gguf", "folder"), [
    ("README.md", True, False), ("Modelfile", True, False), ("Tiny-mine-3.gguf", True, True), ("README.md", True, True),
    ("Tiny-mine-3", False, False), ("Tiny-mine-3", False, True),
])  # fmt: skip
def test_what_no_export_wrote_is_not_replaced(tmp_path: Path, name: str, gguf: bool, folder: bool) -> None:
    made, out = model(tmp_path / "model"), tmp_path / "out"
    kept = out / name / "kept" if folder else out / name
    kept.parent.mkdir(parents=True)
    kept.write_text("FROM ./mine.gguf")
    with pytest.raises(UserError, match=rf"/out/{name}: no export wrote it, and none replaces it; RESULT=<folder>"):
        export(made, out, gguf=gguf)
    assert kept.read_text() == "FROM ./mine.gguf"
    assert names(out) == [name]


def test_two_at_once_take_turns(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from scripts.export import place
with place.whole(Path({str(tmp_path)!r})) as part:
    (part / "Tiny-mine-3.gguf").write_bytes(b"GGUF")
"""
    with place.whole(tmp_path) as part:
        second = subprocess.Popen([sys.executable, "-uc", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert second.stdout
        assert "another export is at work there; waiting until it ends" in second.stdout.readline()
        (part / "Modelfile").write_text("\nPARAMETER num_ctx 1")
    assert second.wait() == 0
    second.stdout.close()
    assert names(tmp_path) == ["Modelfile", "Tiny-mine-3.gguf"]


@pytest.mark.parametrize("place_of_it", ["file/below", "link"])
def test_where_no_folder_can_be(tmp_path: Path, place_of_it: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with (
        pytest.raises(UserError, match="is no folder; RESULT=<folder> names another"),
        place.whole(tmp_path / place_of_it),
    ):
        pass


def test_a_disk_that_fills_up_meanwhile_is_said(tmp_path: Path) -> None:
    import numpy

    with (  # which has no number for it
        pytest.raises(UserError, match=r"not all was written \(\d+ requested and \d+ written\); make room"),
        place.whole(tmp_path), place.writing(tmp_path), Path("/dev/full").open("wb", buffering=0) as full,
    ):  # fmt: skip
        numpy.zeros(10**5).tofile(full)
    assert names(tmp_path) == []


def killed(out: Path) -> None:
    """Kills a process that is writing into an export's folder."""
    program = f"""
import os, signal
from pathlib import Path
from scripts.export import place
with place.whole(Path({str(out)!r})) as part:
    (part / "Tiny-mine-3.gguf").write_bytes(b"GGUF")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
