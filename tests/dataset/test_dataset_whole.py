"""What lies in data/<env> is the old version or the new one, whole: kills, full disks, two runs, damaged manifests."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset import prepare as preparing
from scripts.dataset import writer as writing
from scripts.dataset.__main__ import command_line
from scripts.dataset.manifest import MANIFEST, REPORT, is_intact, read_manifest
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.errors import FILE, UserError
from scripts.files import ROOT
from tests.dataset.samples import PLAIN, as_jsonl, rows, run


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two sources, the first of which is prepared in out/."""
    as_jsonl(tmp_path / "a.jsonl", rows(60))
    as_jsonl(tmp_path / "b.jsonl", rows(60, 100))
    run(tmp_path / "a.jsonl", tmp_path / "out")
    return tmp_path / "a.jsonl", tmp_path / "b.jsonl"


def whole(folder: Path) -> str:
    """Returns the version that lies in a folder, which must be whole."""
    manifest = read_manifest(folder)
    assert manifest is not None and is_intact(manifest, folder)
    return manifest["version"]


@pytest.mark.parametrize("moved", range(7))
def test_a_run_killed_while_it_moves_its_files_is_finished_by_the_next(
    two: tuple[Path, Path], tmp_path: Path, moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = whole(tmp_path / "out"), run(two[1], tmp_path / "other")["version"]
    replace, left = Path.replace, [moved + 1]  # the first one ends the manifest beside its place

    class Killed(BaseException):
        pass

    def killed(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    monkeypatch.setattr(writing.Writer, "abandon", lambda self: None)  # as nothing runs any more after SIGKILL
    if moved < 6:
        with pytest.raises(Killed):
            run(two[1], tmp_path / "out")
    else:
        run(two[1], tmp_path / "out")
    monkeypatch.undo()
    found = read_manifest(tmp_path / "out")
    assert found is None or (found["version"] == new and is_intact(found, tmp_path / "out"))
    said: list[str] = []
    assert run(two[1], tmp_path / "out", said=said)["version"] == new != old
    assert said[-1].startswith("nothing to do") and whole(tmp_path / "out") == new
    assert not list(tmp_path.glob("out/.partial-*"))


def test_kills_at_any_time_leave_a_whole_version(two: tuple[Path, Path], tmp_path: Path) -> None:
    versions = {whole(tmp_path / "out"), run(two[1], tmp_path / "other")["version"]}
    program = (
        "import sys; from pathlib import Path; from tests.dataset.samples import run\n"
        "for name in 1000 * ['b.jsonl', 'a.jsonl']:\n"
        f"    run(Path({str(tmp_path)!r}) / name, Path({str(tmp_path / 'out')!r}))\n"
        "    print(1, flush=True)"
    )
    generator = random.Random(5)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(generator.random() / 5)
            process.kill()
        with writing.alone(tmp_path / "out", print):
            writing.recover(tmp_path / "out", MANIFEST)
        assert whole(tmp_path / "out") in versions


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("when", ["writing", "the report", "moving"])
def test_a_full_disk_is_a_sentence(
    two: tuple[Path, Path], tmp_path: Path, number: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    old = whole(tmp_path / "out")
    if when == "writing":
        monkeypatch.setattr(writing._File, "append", full)
    elif when == "the report":
        monkeypatch.setattr(preparing, "report_page", full)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match=r"no space is left|quota is used up") as caught:
        run(two[1], tmp_path / "out")
    assert caught.value.code == FILE and "\n" not in str(caught.value)
    monkeypatch.undo()
    assert whole(tmp_path / "out") == old and not list(tmp_path.glob("out/.partial-*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small file system")
def test_a_disk_that_is_really_full_or_can_only_be_read(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        version = run(two[0], disk / "out")["version"]
        as_jsonl(tmp_path / "large.jsonl", [row for start in range(0, 9000, 300) for row in rows(300, start)])
        with pytest.raises(UserError, match="no space is left on the disk; make room"):
            run(tmp_path / "large.jsonl", disk / "out")
        assert whole(disk / "out") == version and not list(disk.glob("out/.partial-*"))
        monkeypatch.setattr(tempfile, "tempdir", str(disk))  # where what was seen is kept meanwhile
        with pytest.raises(UserError, match=f"{disk}: no space is left on the disk"):
            run(tmp_path / "large.jsonl", tmp_path / "out")
        monkeypatch.undo()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in (["prepare", "--source", str(two[1]), "--env", "demo"], ["report", "--env", "demo"]):
            with pytest.raises(OSError, match="Read-only") as caught:
                command_line([*command, "--folder", str(disk / "out")])
            assert caught.value.filename in (str(disk / "out"), str(disk / "out" / REPORT))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("name", ["train.jsonl", REPORT])
def test_a_folder_where_a_file_belongs_leaves_the_old_version(
    two: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    (tmp_path / "out" / name).unlink()
    (tmp_path / "out" / name).mkdir()
    before = (tmp_path / "out" / MANIFEST).read_bytes()
    with pytest.raises(UserError, match=f"out/{name}: is a folder, and a file belongs there") as caught:
        run(two[1], tmp_path / "out")
    assert caught.value.code == FILE and (tmp_path / "out" / MANIFEST).read_bytes() == before


def test_a_device_without_room_is_a_sentence(two: tuple[Path, Path]) -> None:
    words = [sys.executable, "-m", "scripts.dataset", "check", "--env", "demo", str(two[0])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert done.returncode == FILE
    last = done.stderr.splitlines()[-1]  # a slow machine tells its progress before
    assert last == "error: output: no space left on device; put that right and run this again"


def test_a_run_cleans_up_after_a_killed_one_even_where_nothing_is_to_do(two: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out" / ".partial-killed").mkdir()
    version = whole(tmp_path / "out")
    assert run(two[0], tmp_path / "out")["version"] == version
    assert not list(tmp_path.glob("out/.partial-*"))


def test_a_second_run_waits_for_the_first_and_says_so(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    versions: list[str] = []
    with writing.alone(tmp_path / "out", print):
        waiting = threading.Thread(
            target=lambda: versions.append(run(two[1], tmp_path / "out", said=said)["version"]), daemon=True
        )
        waiting.start()
        deadline = time.monotonic() + 10
        while not any("another run" in line for line in said) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert said[-1] == f"{tmp_path / 'out'}: another run prepares data there; waiting until it is done"
        assert not versions
    waiting.join(20)
    assert versions == [whole(tmp_path / "out")]


def test_two_processes_at_once_leave_a_whole_version(two: tuple[Path, Path], tmp_path: Path) -> None:
    versions = {whole(tmp_path / "out"), run(two[1], tmp_path / "other")["version"]}
    program = (
        "import sys; from pathlib import Path; from tests.dataset.samples import run\n"
        "for name in sys.argv[2:]: run(Path(sys.argv[1]) / name, Path(sys.argv[1]) / 'out')"
    )
    names = ["a.jsonl", "b.jsonl"] * 3
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), *order], cwd=ROOT, stderr=subprocess.PIPE)
        for order in (names, names[::-1])
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert whole(tmp_path / "out") in versions and not list(tmp_path.glob("out/.partial-*"))


def damaged(text: str, generator: random.Random) -> str | bytes:
    at = generator.randrange(len(text))
    kinds = [
        lambda: text[:at], lambda: text[:at] + generator.choice('{}[]",:0x') + text[at + 1 :], lambda: "",
        lambda: "[" * 99_999,
        lambda: text.encode()[:at] + b"\xff" + text.encode()[at:],
    ]  # fmt: skip
    return generator.choice(kinds)()


def odd(manifest: dict[str, Any], generator: random.Random) -> str:
    """Returns the manifest as valid JSON in which some value has gone or is of another type."""
    holder: Any = manifest
    while True:
        key = generator.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if not isinstance(holder[key], dict | list) or not holder[key] or generator.random() < 0.3:
            break
        holder = holder[key]
    holder[key] = generator.choice([None, "x", -1, [], {}, {"a": []}, 1e999])
    return json.dumps(manifest)


def test_a_manifest_in_any_state_is_a_sentence(two: tuple[Path, Path], tmp_path: Path) -> None:
    out, generator = tmp_path / "out", random.Random(3)
    good = (out / MANIFEST).read_text("utf-8")
    for number in range(40):
        text = odd(json.loads(good), generator) if number % 2 else damaged(good, generator)
        if text in (good, json.dumps(json.loads(good))):
            continue
        (out / MANIFEST).write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(UserError, match=r"manifest.json: damaged; run `make data ENV=demo`"):
            command_line(["report", "--env", "demo", "--folder", str(out)])
    said: list[str] = []
    run(two[0], out, said=said)
    assert "manifest.json is damaged, or of another version of this project" in said[0] and whole(out)


def test_the_report_of_files_that_have_changed_is_a_sentence(two: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out" / REPORT).unlink()
    assert command_line(["report", "--env", "demo", "--folder", str(tmp_path / "out")]) == 0
    (tmp_path / "out" / "train.jsonl").write_text("{")
    with pytest.raises(UserError, match=r"is not what its manifest.json says; `make data ENV=demo` makes it"):
        command_line(["report", "--env", "demo", "--folder", str(tmp_path / "out")])


def test_an_interrupt_leaves_the_old_version(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = whole(tmp_path / "out")
    monkeypatch.setattr(preparing, "report_page", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    settings = from_values({"dataset": {"source": str(two[1]), "splits": PLAIN}})
    with pytest.raises(KeyboardInterrupt):
        prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    assert whole(tmp_path / "out") == old and not list(tmp_path.glob("out/.partial-*"))
