"""yaml-language-server over stdio: what an editor would underline in a file, and what it would offer at a place."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class LanguageServer:
    """A running server, asked as an editor asks it (Language Server Protocol: JSON-RPC with headers)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._asked = process, 0
        self._faults: dict[str, list[dict[str, Any]]] = {}
        self._opened: dict[str, int] = {}  # versions, by address: the server keeps what it knows of one
        self._ask("initialize", processId=None, rootUri=None, capabilities={})
        self._tell("initialized")
        settings = {"validate": True, "completion": True, "schemaStore": {"enable": False}}
        self._tell("workspace/didChangeConfiguration", settings={"yaml": settings})

    def faults(self, path: Path) -> list[str]:
        """Returns what the server finds in a file, `line: sentence` each."""
        assert path.resolve().as_uri() not in self._opened  # closing it would empty the list
        uri = self._open(path, path.read_text(encoding="utf-8"))
        while uri not in self._faults:
            self._read()
        return [f"{fault['range']['start']['line'] + 1}: {fault['message']}" for fault in self._faults.pop(uri)]

    def offers(self, path: Path, text: str) -> list[str]:
        """Returns the words that the server offers at the end of a text, were that what the file holds."""
        lines = text.split("\n")
        at = {"line": len(lines) - 1, "character": len(lines[-1])}
        uri = self._open(path, text)
        found = self._ask("textDocument/completion", textDocument={"uri": uri}, position=at)
        return [item["label"] for item in (found["items"] if isinstance(found, dict) else found or [])]

    def _open(self, path: Path, text: str) -> str:
        uri = path.resolve().as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": self._opened.get(uri, 0) + 1, "text": text}
        if self._opened.get(uri):
            self._tell("textDocument/didClose", textDocument={"uri": uri})
        self._opened[uri] = self._opened.get(uri, 0) + 1
        self._faults.pop(uri, None)
        self._tell("textDocument/didOpen", textDocument=document)
        return uri

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._asked += 1
        self._write({"id": self._asked, "method": method, "params": parameters})
        while True:
            message = self._read()
            if message.get("id") == self._asked and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _tell(self, method: str, **parameters: Any) -> None:
        self._write({"method": method, "params": parameters})

    def _write(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        """Returns the next message; what the server asks back is answered with nothing, what it found is kept."""
        stream, length = self._process.stdout, 0
        assert stream
        while header := stream.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server ended"
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._faults[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            self._write({"id": message["id"], "result": None})
        return message


@contextmanager
def running(program: Path) -> Iterator[LanguageServer]:
    """Starts a yaml-language-server, and ends it."""
    with subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield LanguageServer(process)
        finally:
            process.kill()
