"""A model's answer as HTML: Markdown becomes elements, and nothing that it says becomes markup, a request or a style.

Answers are untrusted text. markdown-it-py (MIT) escapes HTML and refuses `javascript:` and the like in links; images,
which a browser would fetch, and styles, which the page's policy forbids, are left out here.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore


def rendered(text: str) -> Markup:
    """Returns the HTML of an answer; one that is JSON is shown letter by letter, as Markdown would eat backslashes."""
    if _is_json(text):
        return Markup("<pre><code>{}</code></pre>").format(text.strip())
    return Markup(_parser().render(text))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return text.lstrip().startswith(('{"', '[{"'))  # the beginning of some that still comes


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 100}).enable(
        ["table", "strikethrough"]
    )
    parser.disable(["image", "reference"])  # a reference, `[answer]: 42`, would be taken and not shown
    parser.core.ruler.push("plain", _plain)
    return parser


def _plain(state: StateCore) -> None:
    """Takes styles off, and lets a link open a page that learns nothing of this one."""
    for block in state.tokens:
        block.attrs.pop("style", None)
        for token in block.children or ():
            if token.type == "link_open":
                token.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
