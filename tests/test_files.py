"""The one way to write a file: old or new, never half; private where it must be; nothing left behind."""

import os
import stat
from pathlib import Path

import pytest

from scripts.files import ROOT, write, write_private


@pytest.fixture(autouse=True)
def umask():
    """The usual umask, whoever runs the tests."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_root_is_where_the_project_is():
    assert (ROOT / "pyproject.toml").exists()


def test_text_and_bytes_are_written_and_folders_made(tmp_path: Path):
    write(tmp_path / "a" / "b" / "text", "für\n")
    write(tmp_path / "a" / "bytes", b"\x00\r\n")
    assert (tmp_path / "a" / "b" / "text").read_bytes() == "für\n".encode()
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00\r\n"


def test_only_the_owner_may_read_what_is_private(tmp_path: Path):
    write(tmp_path / "open", "x")
    write_private(tmp_path / "private", "x")
    (tmp_path / "was-open").write_text("x")
    write_private(tmp_path / "was-open", "x")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"open": 0o644, "private": 0o600, "was-open": 0o600}


def test_a_link_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "other").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    write(tmp_path / "file", "new")
    assert (tmp_path / "other").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch):
    write(tmp_path / "file", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "file", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_what_a_killed_process_left_behind_is_no_hindrance(tmp_path: Path):
    (tmp_path / f".file.{os.getpid()}.part").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "file", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_device_stays_one_and_a_folder_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write(tmp_path / "pipe", "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    null = Path("/dev/null")
    write(null, "x")
    assert null.is_char_device()
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write(tmp_path / "folder", "x")
    assert str(caught.value.filename) == str(tmp_path / "folder")


def test_a_failure_names_the_file_and_a_long_name_is_no_failure(tmp_path: Path):
    write(tmp_path / ("n" * 250), "x")
    with pytest.raises(OSError) as caught:
        write(tmp_path / ("n" * 256), "x")
    assert str(caught.value.filename) == str(tmp_path / ("n" * 256))
