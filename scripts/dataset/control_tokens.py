"""Text that a chat template reads as its own: `<|im_end|>` in a message ends the turn, whoever wrote it there.

The tokens are those of the model's tokenizer that its template writes or that begin and end a text; without that
tokenizer, those of the families that most models come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.dataset.checks import Finding
from scripts.dataset.text_checks import MESSAGE, Texts
from scripts.dataset.tokenizer import Tokenizer

# How a token begins, which is looked for first and fast, and the whole of it: ChatML, Llama 3 and Phi; DeepSeek;
# Gemma; Llama 2 and Mistral.
FAMILIES = {
    "<|": rb"<\|\w{2,40}\|>",
    "<\uff5c": "<\uff5c[^<>\\s]{2,60}\uff5c>".encode(),
    "<start_of_turn>": rb"<start_of_turn>",
    "<end_of_turn>": rb"<end_of_turn>",
    "[INST]": rb"\[INST\]",
    "[/INST]": rb"\[/INST\]",
    "<<SYS>>": rb"<<SYS>>",
}


class ControlTokens:
    """Looks for control tokens in the texts of a chunk."""

    def __init__(self, coder: Tokenizer | None = None) -> None:
        patterns: dict[str, list[bytes]] = {}
        if coder is None or coder.stands_in:
            patterns = {lead: [pattern] for lead, pattern in FAMILIES.items()}
        for token in coder.control_tokens() if coder else ():
            lead = next((each for each in FAMILIES if token.startswith(each)), token)
            patterns.setdefault(lead, []).append(re.escape(token.encode()))
        self._patterns = [(lead.encode(), re.compile(b"|".join(some))) for lead, some in patterns.items()]

    def findings(self, texts: Texts) -> Iterator[tuple[int, Finding]]:
        """Yields (row, finding), one a row: the first control token in each row's text."""
        blob, seen = texts.blob, set()
        for lead, pattern in self._patterns:
            if lead not in blob:
                continue
            for found in pattern.finditer(blob):
                row = int(texts.row_of(found.start()))
                if row not in seen:
                    seen.add(row)
                    message = blob.count(MESSAGE.encode(), int(texts.starts[row]), found.start())
                    token = found[0].decode()
                    yield row, Finding("control_tokens", f"messages[{message}].content", token, "text without it")
