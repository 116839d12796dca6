"""A page as one HTML text: its style and drawings are in it, it asks no other host, and follows light and dark."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent


def document(template: str, policy: str = "", script: str = "", **given: object) -> str:
    """Returns the page that a template in scripts/ makes of `given`, whose texts never become markup.

    Of scripts, a page without a `policy` of its own runs only the one of this name in scripts/, which asks nobody.
    """
    code = (HERE.parent / script).read_text(encoding="utf-8") if script else ""
    more = {"script": code} if script else {}
    return (
        _environment()
        .get_template(template)
        .render(style=_style(), policy=policy or content_policy(script=code), **more, **given)
    )


def content_policy(nonce: str = "", script: str = "") -> str:
    """Returns what a browser may do with a page: draw it; with a `nonce`, run its script, which asks its server.

    A `script` of this text may run too, and ask nobody.
    """
    allowed = f" script-src 'nonce-{nonce}'; connect-src 'self';" if nonce else ""
    if script:
        allowed = f" script-src '{_digest(script)}';"
    style = f"style-src '{_digest(_style())}';"
    return f"default-src 'none'; {style}{allowed} img-src data:; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@functools.cache
def _style() -> str:
    return (HERE / "style.css").read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE.parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment
