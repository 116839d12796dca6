"""report.html: one self-contained page that shows what will be trained on. No script, no request, no colour alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from scripts.dataset import terminal
from scripts.dataset.checks import EVERY_ROW, EXAMPLES, ROLES
from scripts.dataset.tokenizer import Tokenizer
from scripts.pages import charts, page
from scripts.pages.charts import Bar, Mark

TEMPLATE = "dataset/data_report.html.j2"
CONVERSATIONS = 5
SHOWN_TOKENS = 2000
SHOWN_CHARACTERS = 4000  # of a message
STATES = {"pass": "passed", "warn": "warning", "fail": "failed"}
MOST_BARS = 24  # of messages in a conversation; longer ones share the last


@dataclass(frozen=True)
class Piece:
    """Some text of a conversation as the model sees it: whether it is learned, and whether it is cut off."""

    text: str
    learned: bool
    cut: bool


@dataclass(frozen=True)
class Example:
    """A conversation as the chat template writes it."""

    tokens: int
    learned: int
    cut_at: int | None  # where something is cut off
    pieces: list[Piece]
    whole: bool


def report_page(manifest: dict[str, Any], folder: Path, coder: Tokenizer | None) -> str:
    """Returns the page for a manifest whose files lie in `folder`."""
    rows = _first_rows(folder / manifest["files"]["train"]["path"])
    found = sorted((check for check in manifest["checks"] if check["count"]), key=lambda check: -check["count"])
    said, lengths = _lengths(manifest)
    return page.document(
        TEMPLATE, title=f"{manifest['name']} {manifest['version']}", manifest=manifest, rows=rows, found=found,
        clean=[
            check["title"] + ("" if check["looked_at"] == EVERY_ROW else f" (looked at {check['looked_at']})")
            for check in manifest["checks"] if not check["count"]
        ],
        dropped=sum(sum(split["dropped"].values()) for split in manifest["read"].values()),
        lengths=lengths, lengths_said=said, shapes=_shapes(manifest["files"]["train"]),
        example=_example(rows, coder, manifest["max_seq_length"]),
        most=SHOWN_CHARACTERS, roles=ROLES, examples=EXAMPLES, states=STATES, done=terminal.DONE,
        rounded=rounded, share=share, size=size,
    )  # fmt: skip


def size(count: int) -> str:
    """Returns bytes as a reader takes them: 653 KB, 2.1 MB."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} KB"


def rounded(value: int, error: int) -> str:
    """Returns a number without the digits that its error makes meaningless."""
    return f"{round(value, -max(0, len(str(error)) - 2)):,}"


def share(proportion: dict[str, Any], how: str) -> str:
    """Returns how many rows, with their share where all were counted, else with the interval."""
    if how == "exact" or proportion["low"] == proportion["high"]:
        return f"{proportion['rows']:,} ({100 * proportion['share']:.1f} %)"
    return f"≈ {proportion['rows']:,} ({proportion['low']:,} to {proportion['high']:,})"


def _lengths(manifest: dict[str, Any]) -> tuple[str, list[Markup]]:
    """Returns what is to be said about the lengths of the training conversations, and its two charts."""
    tokens, limit = manifest["files"]["train"].get("tokens"), manifest["max_seq_length"]
    if not tokens or not tokens["histogram"]["counts"]:
        return "", []
    spread, percentiles = tokens["histogram"], tokens["curve"]
    width, counts = spread["width"], spread["counts"]
    said = (
        f"Half of the conversations have at most {percentiles[50]:,} tokens, nine in ten at most {percentiles[90]:,}, "
        f"the longest {spread['longest']:,}."
    )
    if limit and "cut" in tokens:
        over = share(tokens["cut"]["too_long"], tokens["how"])
        said += f" At {limit:,} tokens the end is cut off: {over} of the rows."
        if limit > max(spread["longest"], len(counts) * width):
            said += " No conversation comes near it."
    every = max(1, len(counts) // 5)
    last = len(counts) - 1
    bars = [
        Bar(count, charts.short(at * width) if at % every == 0 else "",
            f"{at * width:,} {f'to {(at + 1) * width - 1:,} tokens' if at < last else 'tokens and more'}: {count:,}")
        for at, count in enumerate(counts)
    ]  # fmt: skip
    sampled = "" if tokens["how"] == "exact" else f" (sample of {tokens['counted']:,})"
    cut = f"cut at {limit:,}" if limit else ""
    near = limit and limit <= 3 * max(percentiles[99], 1)
    return said, [
        charts.bars("Conversations by length", f"Histogram of conversation lengths. {said}",
                    f"tokens in a conversation{sampled}", bars, Mark(limit / width, cut) if limit else None),
        charts.curve("Share of conversations up to a length", f"Cumulative share of conversations by length. {said}",
                     "tokens in a conversation", percentiles, Mark(limit, cut) if near else None),
    ]  # fmt: skip


def _shapes(train: dict[str, Any]) -> list[Markup]:
    """Returns the charts of messages in a conversation and of messages by role."""
    if not train.get("turns"):
        return []
    turns, roles = {int(name): count for name, count in train["turns"].items()}, train["roles"]
    longest = max(turns)
    last = min(longest, MOST_BARS)
    counts = [turns.get(at, 0) for at in range(1, last)] + [sum(count for at, count in turns.items() if at >= last)]
    every = 1 if last <= 14 else 2
    names = [str(at) if at % every == 0 else "" for at in range(1, last)] + [f"{last}{'+' if longest > last else ''}"]
    titles = [f"{at} messages: {count:,} conversations" for at, count in enumerate(counts, 1)]
    said = "; ".join(title for title, count in zip(titles, counts, strict=True) if count)
    shares = ", ".join(f"{role} {count:,}" for role, count in roles.items())
    return [
        charts.bars("Messages in a conversation", f"Messages in a conversation: {said}", "messages in a conversation",
                    [Bar(*given) for given in zip(counts, names, titles, strict=True)]),
        charts.bars("Messages by role", f"Messages by role: {shares}", "role",
                    [Bar(count, f"{role} {charts.short(count)}", f"{role}: {count:,} messages")
                             for role, count in roles.items()]),
    ]  # fmt: skip


def _example(rows: list[dict[str, Any]], coder: Tokenizer | None, limit: int | None) -> Example | None:
    """Returns the shortest of the first conversations as the model sees it; nothing where that cannot be told."""
    if not rows or coder is None:
        return None
    from scripts.conversation import tokens as chat

    row = min(rows, key=lambda row: sum(len(message.get("content") or "") for message in row["messages"]))
    try:
        encoded = chat.encode(coder, row["messages"], row.get("tools"))
        text = chat.text(coder, row["messages"], row.get("tools"))
    except Exception:  # the template refuses it; the check named `template` says so
        return None
    spans = coder(text, return_offsets_mapping=True)["offset_mapping"]
    pieces = list(_pieces(text, spans[:SHOWN_TOKENS], encoded.trained, limit))
    cut_at = limit if limit and len(spans) > limit else None
    return Example(len(encoded.ids), sum(encoded.trained), cut_at, pieces, len(spans) <= SHOWN_TOKENS)


def _pieces(text: str, spans: list[tuple[int, int]], trained: list[bool], limit: int | None) -> Iterator[Piece]:
    """Yields the text under the tokens, those of one kind together; tokens may share a character."""
    end = 0
    kinds = [(trained[at], limit is not None and at >= limit) for at in range(len(spans))]
    for kind, group in groupby(zip(kinds, spans, strict=True), key=lambda each: each[0]):
        under = [span for _, span in group]
        begin, end = max(under[0][0], end), max(end, *(last for _, last in under))
        yield Piece(text[begin:end], *kind)


def _first_rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as stream:
        return [orjson.loads(line) for _, line in zip(range(CONVERSATIONS), stream, strict=False)]
