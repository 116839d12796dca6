"""llama.cpp itself, as xllamacpp brings it: what a GGUF file makes of messages and texts."""

from __future__ import annotations

import http.client
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.errors import MISSING, UserError, one_line

CONTEXT = 256  # of the server: nothing is answered here


class RefusedError(Exception):
    """llama.cpp does not load a file, or does not do what it was asked."""


class LlamaCpp:
    """A GGUF file in llama.cpp, whose own server listens on 127.0.0.1 at a free port as long as this object lives."""

    def __init__(self, file: Path, context: int = CONTEXT) -> None:
        try:
            import xllamacpp
        except ImportError:
            raise UserError(
                "xllamacpp is not installed, so nothing can be proven in llama.cpp; install the packages of the group "
                "export (pip install --group export -c constraints.txt)",
                MISSING,
            ) from None
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(file)
        parameters.n_ctx, parameters.n_parallel, parameters.cache_ram_mib = context, 1, 0
        parameters.verbosity, parameters.warmup, parameters.fit_params, parameters.ui = -1, False, False, False
        parameters.no_extra_bufts = True  # the weights stay in the file: nothing is copied into memory
        parameters.n_gpu_layers = 0
        parameters.hostnames, parameters.api_keys = ["127.0.0.1"], [secrets.token_hex(16)]
        parameters.prefill_assistant = False
        try:
            self.server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise RefusedError(one_line(error)) from None
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {parameters.api_keys[0]}"}
        self._connection = http.client.HTTPConnection(urlsplit(self.server.listening_address).netloc, timeout=60)

    def tokens(self, text: str) -> list[int]:
        """Returns a text's tokens as the server reads a prompt: what looks like a control token is one."""
        asked = {"content": text, "add_special": True, "parse_special": True}
        return list(self._ask("/tokenize", asked)["tokens"])

    def text(self, tokens: list[int]) -> str:
        """Returns the text of tokens."""
        return str(self._ask("/detokenize", {"tokens": tokens})["content"])

    def rendered(self, messages: list[dict[str, Any]]) -> str:
        """Returns what the file's chat template makes of messages, up to where the answer begins."""
        return str(self._ask("/apply-template", {"messages": messages})["prompt"])

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        reply = self._connection.getresponse()
        said = json.loads(reply.read())
        if reply.status != 200:
            raise RefusedError(one_line(said.get("error", {}).get("message") or said))
        return said
