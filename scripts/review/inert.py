"""Text for a Markdown comment that stays text: it becomes no markup, breaks no table and calls nobody."""

from __future__ import annotations

import html
import re

from scripts import terminal

LONGEST = 400  # characters of one cell


def inert(text: str) -> str:
    """Returns a text, on one line, of which Markdown and GitHub make nothing else."""
    line = " ".join(terminal.plain(text).split())
    line = f"{line[:LONGEST]}…" if len(line) > LONGEST else line
    line = re.sub(r"[\\`*_{}\[\]|~]", lambda found: f"&#{ord(found[0])};", html.escape(line, quote=False))
    return re.sub(r"[@#](?=[\w/])(?!\d+;)", lambda found: f"{found[0]}<!-- -->", line)  # a person, a team, an issue
