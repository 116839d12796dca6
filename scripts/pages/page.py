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


def document(template: str, policy: str = "", **given: object) -> str:
    """Returns the page that a template in scripts/ makes of `given`, whose texts never become markup."""
    return _environment().get_template(template).render(style=_style(), policy=policy or content_policy(), **given)


def content_policy(nonce: str = "") -> str:
    """Returns what a browser may do with a page: draw it; with a `nonce`, run its script, which asks its server."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    script = f" script-src 'nonce-{nonce}'; connect-src 'self';" if nonce else ""
    return (
        f"default-src 'none'; style-src 'sha256-{digest}';{script} img-src data:; base-uri 'none'; form-action 'none'"
    )


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
