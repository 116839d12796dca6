"""The hub is asked for what is needed only, and given up where it does not answer."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.dataset.prepare import find_source
from scripts.dataset.settings import from_values
from scripts.errors import UNREACHABLE, UserError
from tests.dataset.samples import PLAIN, as_jsonl, parquet, rows, run


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a data set needs: its file list at a commit, and byte ranges of its files."""

    root: Path
    served: list[tuple[str, int]]
    commit = "a" * 40

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/some/chat/revision/"):
            files = [{"rfilename": each.relative_to(self.root).as_posix(), "size": each.stat().st_size}
                     for each in sorted(self.root.rglob("*")) if each.is_file()]  # fmt: skip
            return self.reply(200, json.dumps({"id": "some/chat", "sha": self.commit, "siblings": files}).encode())
        prefix = f"/datasets/some/chat/resolve/{self.commit}/"
        file = self.root / path.removeprefix(prefix)
        if not path.startswith(prefix) or not file.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["range"]).groups())
        data = file.read_bytes()[first : last + 1]
        self.served.append((file.name, len(data)))
        return self.reply(206, data)

    def reply(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on localhost with the data set some/chat."""
    from huggingface_hub import constants

    Hub.root, Hub.served = tmp_path / "hub", []
    generator = random.Random(1)
    for name, count, start in (("train_sft-00000-of-00002", 2000, 0), ("train_sft-00001-of-00002", 2000, 2000),
                               ("test_sft-00000-of-00001", 1000, 9000)):  # fmt: skip
        some = rows(count, start)
        for row in some:
            row["messages"][1]["content"] += generator.randbytes(800).hex()
        parquet(Hub.root / "data" / f"{name}.parquet", some, group=100)
    (Hub.root / "README.md").write_text("# chat")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield Hub
    server.shutdown()
    server.server_close()


def test_the_hub_is_asked_for_the_row_groups_of_a_percentage_only(hub: type[Hub], tmp_path: Path) -> None:
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft"}
    manifest = run("some/chat", tmp_path / "out", percent=5, splits=splits, revision="main")
    assert manifest["source"]["commit"] == hub.commit and manifest["fallback"] is None
    assert manifest["read"]["train_sft"]["in"] == 200 and manifest["read"]["test_sft"]["in"] == 50
    whole = sum(each.stat().st_size for each in hub.root.rglob("*.parquet"))
    footers = 3 * 64 * 1024  # the last 64 KB of every file
    assert sum(size for _, size in hub.served) < 0.07 * whole + footers < 0.2 * whole
    served = len(hub.served)
    said: list[str] = []
    run("some/chat", tmp_path / "out", percent=5, splits=splits, revision="main", said=said)
    assert len(hub.served) == served and said[0].startswith("nothing to do")


def test_a_hub_that_is_gone_keeps_what_was_prepared_from_it(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {"train": "train_sft", "validation": 0.1, "test": "test_sft"}
    before = run("some/chat", tmp_path / "out", percent=5, splits=splits)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said: list[str] = []
    after = run("some/chat", tmp_path / "out", percent=5, splits=splits, said=said, fallback=str(tmp_path))
    assert after["version"] == before["version"] and "kept as it was prepared from commit" in said[0]


def test_blocks_of_json_lines_on_the_hub(hub: type[Hub], tmp_path: Path) -> None:
    for each in hub.root.rglob("*.parquet"):
        each.unlink()
    some = rows(20_000)
    some[0]["messages"][1]["content"] = ""
    as_jsonl(hub.root / "train.jsonl", some)
    manifest = run("some/chat", tmp_path / "out", percent=20, splits=PLAIN | {"train": "train"})
    size = (hub.root / "train.jsonl").stat().st_size
    assert 3000 < manifest["read"]["train"]["in"] < 5000
    assert sum(count for _, count in hub.served) < 0.5 * size  # a block's last line is read with what follows it


def test_a_set_that_is_not_on_the_hub_is_said_so(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set 'some/other', or it is private"):
        run("some/other", tmp_path / "out")


def test_an_unreachable_hub_fails_fast_or_takes_the_fallback_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    begun = time.monotonic()
    with pytest.raises(UserError, match=r"cannot be reached .*--fallback DIR") as caught:
        run("some/chat", tmp_path / "out")
    assert caught.value.code == UNREACHABLE and time.monotonic() - begun < 5
    demo = tmp_path / "demo"
    demo.mkdir()
    as_jsonl(demo / "train_sft.jsonl", rows(60))
    as_jsonl(demo / "test_sft.jsonl", rows(20, 100))
    said: list[str] = []
    manifest = run("some/chat", tmp_path / "out", fallback=str(demo), said=said, percent=5,
                   splits={"train": "train_x", "validation": 0.1, "test": "test_x", "heldout": "gen"})  # fmt: skip
    assert manifest["fallback"]["asked"] == "some/chat" and "takes its place" in said[0]
    assert manifest["files"]["test"]["rows"] == 20  # all of it: 5 % of a demonstration is nothing
    assert "Not the data that was asked for" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_silent_hub_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    from scripts.dataset import hub as module

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: time.sleep(5))
    with pytest.raises(UserError, match=r"no answer in 0\.2 s"):
        run("some/chat", tmp_path / "out")


def test_a_server_that_knows_no_ranges_is_not_taken_at_its_word(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = hub.reply

    def whole(self: Hub, status: int, data: bytes) -> None:
        reply(self, 200, data if status == 200 else data + b"the rest of the file")

    monkeypatch.setattr(hub, "reply", whole)
    file = find_source(from_values({"dataset": {"source": "some/chat"}})).splits["train_sft"][0]
    with pytest.raises(UserError, match="does not answer range requests"):
        file.open().read(10)
