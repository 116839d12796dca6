"""The home of the emulator: what may lie in the place of its files, and the code that it was started with."""

from __future__ import annotations

import re

from azure.ai.ml.entities import ManagedOnlineEndpoint

from scripts.local import __main__, launcher
from scripts.local.core import code
from scripts.local.core.home import Home
from scripts.local.launcher import up
from tests.local.test_local_service import program


def test_a_home_that_no_folder_can_be_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("x")
    for home, words in (
        (tmp_path / "file", "set AZUREML_LOCAL_HOME to a folder"),
        (tmp_path / "file" / "below", "not a directory"),
    ):
        done = program(home, "up")
        assert done.returncode != 0
        assert f"{home}: " in done.stderr and words in done.stderr


def test_a_record_of_other_types_is_none(tmp_path):
    home = Home(tmp_path)
    for content in ('{"pid": "1", "proxy_port": 1, "plain_port": 1, "key": "k"}', "[]", "{}", "7", ""):
        home.record.write_text(content)
        assert home.read_record() is None


def test_what_lies_in_the_place_of_its_files_is_removed_and_the_stop_then_works(tmp_path):
    up(Home(tmp_path))
    for name, words in (("state.sqlite", "end the local Azure ML (make local-down)"), ("emulator.json", "remove it")):
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        for verb in ("up", "status"):
            done = program(tmp_path, verb)
            assert (done.returncode, f"{name}: is no file; {words}" in done.stderr) == (7, True), done.stderr
    assert program(tmp_path, "down").stdout == "The local Azure ML is stopped.\n"
    lock = tmp_path / "serve.lock"
    lock.unlink()
    lock.mkdir()
    assert program(tmp_path, "down").stderr == f"error: {lock}: is no file; remove it, and run this again\n"
    lock.rmdir()
    assert "did not run" in program(tmp_path, "down").stdout


def test_an_emulator_of_older_code_starts_anew_unless_that_interrupts_something(own, monkeypatch, capsys):
    """As after a `git pull`: it would go on with what it had loaded, and nobody would know."""
    home, before = Home(own.emulated.home), own.emulated.record
    assert not up(home) and __main__.show(home, "table") == 0
    assert capsys.readouterr().err == ""
    with monkeypatch.context() as pulled:
        pulled.setattr(code, "digest", lambda: "another")
        assert up(home)
        assert capsys.readouterr().err == "note: the local Azure ML starts anew, as its code has changed\n"
        after = own.emulated.record
        assert after["pid"] != before["pid"] and after["proxy_port"] == before["proxy_port"]
        own.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="kept-ep", auth_mode="key")).result()
        assert not up(home) and own.emulated.record == after
        assert capsys.readouterr().err == f"note: {launcher.OUTDATED}\n"
        assert __main__.show(home, "table") == 0
        assert re.search(r"^code +older than what lies here; make local-down", capsys.readouterr().out, re.MULTILINE)
    assert not up(home) and capsys.readouterr().err == ""


def test_code_is_known_by_its_content(tmp_path, monkeypatch):
    for folder in code.FOLDERS:
        (tmp_path / "scripts" / folder / "below").mkdir(parents=True)
    file = tmp_path / "scripts" / "local" / "below" / "a.py"
    monkeypatch.setattr(code, "ROOT", tmp_path)
    seen = set()
    for content in ("x = 1", "x = 2", "x = 1"):
        file.write_text(content)
        (file.parent / "a.pyc").write_text(str(len(seen)))
        code.digest.cache_clear()
        seen.add(code.digest())
    code.digest.cache_clear()
    assert len(seen) == 2
