"""report.html: one self-contained page that shows what will be trained on, and what will not.

No request, no colour alone. Its script only searches and turns the pages of a list that is whole without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scripts.dataset import report_rows
from scripts.dataset.checks import EVERY_ROW, EXAMPLES, FAIL
from scripts.dataset.tokenizer import Tokenizer
from scripts.dataset.verdict import verdict_of
from scripts.pages import charts, page
from scripts.pages.charts import Bar, Mark

TEMPLATE = "dataset/data_report.html.j2"
SCRIPT = "pages/list.js"
DONE = {"drop": "left out", "keep": "kept", "fail": "not allowed"}  # what becomes of a row, by the check's policy
STATES = {"pass": "passed", "warn": "warning", "fail": "failed"}
MOST_FILES = 100  # not used, that are named
MOST_BARS = 24  # of messages in a conversation; longer ones share the last


Plan = Callable[[Mapping[str, Any]], dict[str, Any]]  # manifest -> what the run takes, as in run_plan


def report_page(manifest: dict[str, Any], folder: Path, coder: Tokenizer | None, plan: Plan | None = None) -> str:
    """Returns the page for a manifest whose files lie in `folder`."""
    train = manifest["files"]["train"]
    rows = report_rows.sampled(folder / train["path"])
    said, lengths = _lengths(manifest)
    return page.document(
        TEMPLATE, script=SCRIPT, title=f"{manifest['name']} {manifest['version']}", manifest=manifest,
        verdict=verdict_of(manifest), checks=_checks(manifest), clean=_clean(manifest),
        left_out=_left_out(manifest), kept=report_rows.shown(rows),
        lost=report_rows.lost(rows, coder) if coder else [],
        example=report_rows.example(rows, coder, manifest["max_seq_length"]) if coder else None,
        is_exact=manifest["tokens"]["is_own"] and train.get("tokens", {}).get("how") == "exact",
        plan=plan(manifest) if plan and manifest["status"] != FAIL else None,
        lengths=lengths, lengths_said=said, shapes=_shapes(train), examples=EXAMPLES, most_files=MOST_FILES,
        states=STATES, done=DONE, rounded=rounded, share=share, size=size,
    )  # fmt: skip


def _checks(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the checks that found something, each with the rows that it left out."""
    reasons = manifest["left_out"]["reasons"]
    found = ({**check, "left_out": reasons.get(check["name"], 0)} for check in manifest["checks"] if check["count"])
    return sorted(found, key=lambda check: (check["status"] != FAIL, -check["left_out"], -check["count"]))


def _clean(manifest: dict[str, Any]) -> list[str]:
    return [
        check["title"] + ("" if check["looked_at"] == EVERY_ROW else f" (looked at {check['looked_at']})")
        for check in manifest["checks"] if not check["count"]
    ]  # fmt: skip


def _left_out(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the rows that were left out, as far as they were kept to be shown, with the reason in words."""
    titles = {check["name"]: check["title"] for check in manifest["checks"]}
    return [{**row, "title": titles.get(row["check"], row["check"])} for row in manifest["shown_rows"]["left_out"]]


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
