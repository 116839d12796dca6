"""report.html: one self-contained page that shows what will be trained on. No script, no request, no colour alone."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import orjson

from scripts.dataset import charts
from scripts.dataset.checks import EXAMPLES
from scripts.dataset.tokenizer import Tokenizer

CONVERSATIONS = 5
SHOWN_TOKENS = 2000
SHOWN_CHARACTERS = 4000  # of a message
_STATE = {"pass": "passed", "warn": "warning", "fail": "failed"}
_DONE = {"drop": "left out", "keep": "kept", "fail": "not allowed"}


def page(manifest: dict[str, Any], folder: Path, coder: Tokenizer | None) -> str:
    """Returns the page for a manifest whose files lie in `folder`."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    rows = _first_rows(folder / manifest["files"]["train"]["path"])
    body = [
        _head(manifest),
        _splits(manifest),
        _lengths(manifest),
        _shapes(manifest),
        _checks(manifest),
        _tokens(rows, coder, manifest["max_seq_length"]),
        _conversations(rows),
        _origin(manifest),
    ]
    title = f"{manifest['name']} {manifest['version']}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{style}</style></head>\n<body><main>\n{''.join(body)}</main></body></html>\n"
    )


def _head(manifest: dict[str, Any]) -> str:
    files, source = manifest["files"], manifest["source"]
    train = files["train"].get("tokens", {})
    dropped = sum(sum(each["dropped"].values()) for each in manifest["read"].values())
    tiles = [
        (f"{files['train']['rows']:,}", "training conversations"),
        (_about(train, "tokens", "error"), "training tokens"),
        (_about(train, "trained", "trained_error"), "of them learned"),
        (f"{dropped:,}", "rows left out"),
        (f'<span class="state {manifest["status"]}">{_STATE[manifest["status"]]}</span>', "checks"),
    ]
    note = ""
    if manifest["fallback"]:
        took = manifest["fallback"]
        note = (
            f'<p class="note"><b>Not the data that was asked for.</b> {escape(took["because"])}. '
            f"<code>{escape(took['took'])}</code> takes its place.</p>"
        )
    where = escape(source["asked"]) + (f" at {escape(source['commit'][:12])}" if source["commit"] else "")
    shown = "".join(f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for value, name in tiles)
    return (
        f"<header><h1>{escape(manifest['name'])}</h1><p class='soft'>version {manifest['version']}, "
        f"{manifest['percent']:g} % of {where}</p>{note}<div class='tiles'>{shown}</div></header>\n"
    )


def _splits(manifest: dict[str, Any]) -> str:
    rows = []
    for part, file in manifest["files"].items():
        tokens = file.get("tokens", {})
        cut = tokens.get("cut")
        mean = f"{tokens['tokens'] / file['rows']:,.0f}" if tokens and file["rows"] else "-"
        over = _share(cut["too_long"], tokens["how"]) if cut else "-"
        lost = f"{100 * cut['trained_lost'] / max(tokens['trained'], 1):.1f} %" if cut else "-"
        cells = [f"{file['rows']:,}", _size(file["bytes"]), _about(tokens, "tokens", "error"),
                 _about(tokens, "trained", "trained_error"), mean, over, lost]  # fmt: skip
        rows.append(
            f"<tr><th scope='row'>{part}</th>" + "".join(f"<td class='n'>{each}</td>" for each in cells) + "</tr>"
        )
    limit = f"{manifest['max_seq_length']:,}" if manifest["max_seq_length"] else "the limit"
    heads = ["rows", "size", "tokens", "learned", "tokens a row", f"rows over {limit}", "learned tokens cut"]
    head = "<th scope='col'>file</th>" + "".join(f"<th scope='col' class='n'>{each}</th>" for each in heads)
    return (
        f"<section><h2>Rows and tokens</h2>{_scroll('Rows and tokens by file', head, rows)}"
        f"<p class='soft'>Counted with {escape(manifest['tokens']['counted_with'])}. {_how(manifest)}</p></section>\n"
    )


def _how(manifest: dict[str, Any]) -> str:
    tokens = manifest["files"]["train"].get("tokens")
    if not tokens:
        return ""
    if tokens["how"] == "exact":
        return "Every conversation was counted."
    if tokens["how"] == "characters":
        return "There is no tokenizer here: tokens are guessed at 4.2 bytes each, which may be off by a third."
    return (
        f"Estimated from a seeded sample of {tokens['counted']:,} training conversations; ± is the 95 % interval. "
        "Count every row with --exact."
    )


def _lengths(manifest: dict[str, Any]) -> str:
    tokens = manifest["files"]["train"].get("tokens")
    if not tokens or not tokens["histogram"]["counts"]:
        return ""
    spread, limit = tokens["histogram"], manifest["max_seq_length"]
    width, counts = spread["width"], spread["counts"]
    every = max(1, len(counts) // 5)
    names = [charts.short(at * width) if at % every == 0 else "" for at in range(len(counts))]
    titles = [f"{at * width:,} to {(at + 1) * width - 1:,} tokens: {count:,}" for at, count in enumerate(counts)]
    titles[-1] = f"{(len(counts) - 1) * width:,} tokens and more: {counts[-1]:,}"
    cut = f"cut at {limit:,}" if limit else ""
    sampled = "" if tokens["how"] == "exact" else f" (sample of {tokens['counted']:,})"
    middle, ninety = tokens["curve"][50], tokens["curve"][90]
    said = f"Half of the conversations have at most {middle:,} tokens, nine in ten at most {ninety:,}, the longest {spread['longest']:,}."
    if limit and "cut" in tokens:
        said += (
            f" At {limit:,} tokens the end is cut off: {_share(tokens['cut']['too_long'], tokens['how'])} of the rows."
        )
        out_of_reach = limit > max(spread["longest"], (len(counts)) * width)
        said += " No conversation comes near it." if out_of_reach else ""
    first = charts.bars(counts, f"Histogram of conversation lengths. {said}", names, titles, f"tokens in a conversation{sampled}",
                        (limit / width, cut) if limit else None)  # fmt: skip
    near = limit and limit <= 3 * max(tokens["curve"][99], 1)
    second = charts.curve(tokens["curve"], f"Cumulative share of conversations by length. {said}",
                          "tokens in a conversation", (limit, cut) if near else None)  # fmt: skip
    return (
        "<section><h2>Length of conversations</h2><div class='charts'>"
        f"<figure><h3>Conversations by length</h3>{first}</figure>"
        f"<figure><h3>Share of conversations up to a length</h3>{second}</figure></div>"
        f"<p class='soft'>{said}</p></section>\n"
    )


def _shapes(manifest: dict[str, Any]) -> str:
    train = manifest["files"]["train"]
    if not train.get("turns"):
        return ""
    turns = {int(name): count for name, count in train["turns"].items()}
    last = min(max(turns), 24)
    counts = [turns.get(at, 0) for at in range(1, last)] + [sum(count for at, count in turns.items() if at >= last)]
    more = "+" if max(turns) > last else ""
    every = 1 if last <= 14 else 2
    names = [str(at) if at % every == 0 else "" for at in range(1, last)] + [f"{last}{more}"]
    titles = [f"{at} messages: {count:,} conversations" for at, count in enumerate(counts, 1)]
    roles = train["roles"]
    first = charts.bars(counts, "Messages in a conversation: " + "; ".join(title for title, count in zip(titles, counts, strict=True) if count),
                        names, titles, "messages in a conversation")  # fmt: skip
    label = "Messages by role: " + ", ".join(f"{role} {count:,}" for role, count in roles.items())
    second = charts.bars(list(roles.values()), label, [f"{role} {charts.short(count)}" for role, count in roles.items()],
                         [f"{role}: {count:,} messages" for role, count in roles.items()], "role")  # fmt: skip
    return (
        "<section><h2>Shape of conversations</h2><div class='charts'>"
        f"<figure><h3>Messages in a conversation</h3>{first}</figure>"
        f"<figure><h3>Messages by role</h3>{second}</figure></div></section>\n"
    )


def _checks(manifest: dict[str, Any]) -> str:
    rows, clean = [], []
    for each in sorted(manifest["checks"], key=lambda check: -check["count"]):
        if not each["count"]:
            clean.append(escape(each["title"]))
            continue
        about = "≈ " if each["estimated"] else ""
        examples = "".join(
            f"<li><b>{escape(some['file'])} {escape(some['row'])}</b> <code>{escape(some['path'])}</code> "
            f"found {escape(some['found'])}; expected {escape(some['expected'])}</li>"
            for some in each["examples"][:EXAMPLES]
        )
        rows.append(
            f"<tr><th scope='row'>{escape(each['title'])}<details><summary>first rows</summary><ul class='examples'>"
            f"{examples}</ul><p class='soft'>To fix: {escape(each['examples'][0]['fix'])}.</p></details></th>"
            f"<td class='n'>{about}{each['count']:,}</td><td>{_DONE[each['policy']]}</td>"
            f"<td><span class='state {each['status']}'>{_STATE[each['status']]}</span></td></tr>"
        )
    head = (
        "<th scope='col'>check</th><th scope='col' class='n'>found</th><th scope='col'>rows are</th>"
        "<th scope='col'>outcome</th>"
    )
    table = _scroll("Checks and what they found", head, rows) if rows else ""
    rest = f"<p class='soft'>Found nothing: {', '.join(clean)}.</p>" if clean else ""
    return f"<section><h2>What was left out, and why</h2>{table}{rest}</section>\n"


def _tokens(rows: list[dict[str, Any]], coder: Tokenizer | None, limit: int | None) -> str:
    """Shows the first conversation as the model sees it: what is learned, what only conditions it, what is cut off."""
    if not rows or coder is None:
        return ""
    from scripts.conversation import tokens as chat

    row = min(rows, key=lambda each: sum(len(message.get("content") or "") for message in each["messages"]))
    try:
        encoded = chat.encode(coder, row["messages"], row.get("tools"))
        text = chat.text(coder, row["messages"], row.get("tools"))
    except Exception:  # the template refuses it; the check named `template` says so
        return ""
    spans = coder(text, return_offsets_mapping=True)["offset_mapping"]
    pieces: list[tuple[tuple[bool, bool], int, int]] = []
    for at, (first, last) in enumerate(spans[:SHOWN_TOKENS]):
        kind = (encoded.trained[at], limit is not None and at >= limit)
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1], max(last, pieces[-1][2]))
        else:
            pieces.append((kind, max(first, pieces[-1][2] if pieces else 0), last))
    shown = []
    for (learned, cut), first, last in pieces:
        piece = escape(text[first:last])
        piece = f"<s>{piece}</s>" if cut else piece
        shown.append(f"<mark>{piece}</mark>" if learned else piece)
    more = " …" if len(spans) > SHOWN_TOKENS else ""
    count = sum(encoded.trained)
    cut_key = f", <s>struck out</s> what is cut off at {limit:,} tokens" if limit and len(spans) > limit else ""
    return (
        "<section><h2>What the model learns</h2>"
        f"<p class='soft key'>One conversation as the chat template writes it, {len(encoded.ids):,} tokens: "
        f"<mark>marked</mark> are the {count:,} that are learned; the others are only read{cut_key}.</p>"
        f"<div class='card tokens'>{''.join(shown)}{more}</div></section>\n"
    )


def _conversations(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    shown = []
    for number, row in enumerate(rows, 1):
        turns = []
        for message in row["messages"]:
            role = message["role"]
            kind = role if role in ("user", "assistant", "system", "tool") else "system"
            text = message.get("content") or ""
            cut = f" … ({len(text) - SHOWN_CHARACTERS:,} more characters)" if len(text) > SHOWN_CHARACTERS else ""
            turns.append(
                f"<div class='turn {kind}'><small>{escape(role)}</small>"
                f"<div dir='auto'>{escape(text[:SHOWN_CHARACTERS])}{cut}</div></div>"
            )
        state = " open" if number <= 2 else ""
        count = len(row["messages"])
        shown.append(
            f"<details{state}><summary>Conversation {number}, {count} messages</summary><div class='chat'>{''.join(turns)}</div></details>"
        )
    return f"<section><h2>The first conversations</h2>{''.join(shown)}</section>\n"


def _origin(manifest: dict[str, Any]) -> str:
    rows = [
        f"<tr><th scope='row'>{escape(split)}</th><td>{escape(read['part'])}</td><td>{escape(read['how'])}</td>"
        f"<td class='n'>{read['in']:,}</td><td class='n'>{read['kept']:,}</td></tr>"
        for split, read in manifest["read"].items()
    ]
    head = (
        "<th scope='col'>split</th><th scope='col'>feeds</th><th scope='col'>read</th>"
        "<th scope='col' class='n'>rows in</th><th scope='col' class='n'>kept</th>"
    )
    hashes = "".join(f"<li>{part} <code>{file['sha256']}</code></li>" for part, file in manifest["files"].items())
    notes = "".join(f"<p class='soft'>{escape(note)}</p>" for note in manifest["notes"])
    return (
        f"<section><h2>Where it came from</h2>{_scroll('Splits that were read', head, rows)}{notes}"
        f"<details><summary>SHA-256 of the files</summary><ul class='examples'>{hashes}</ul></details></section>\n"
    )


def _scroll(label: str, head: str, rows: list[str]) -> str:
    """A table in a box that scrolls sideways where the page is narrow, reachable by keyboard."""
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(label)}'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _about(tokens: dict[str, Any], key: str, error: str) -> str:
    if not tokens:
        return "-"
    if tokens["how"] == "exact":
        return f"{tokens[key]:,}"
    return f"{_rounded(tokens[key], tokens[error])} <small>± {100 * tokens[error] / max(tokens[key], 1):.1f} %</small>"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} KB"


def _rounded(value: int, error: int) -> str:
    """A number without digits that its error makes meaningless."""
    digits = max(0, len(str(error)) - 2)
    return f"{round(value, -digits):,}"


def _share(proportion: dict[str, Any], how: str) -> str:
    if how == "exact" or proportion["low"] == proportion["high"]:
        return f"{proportion['rows']:,} ({100 * proportion['share']:.1f} %)"
    return f"≈ {proportion['rows']:,} ({proportion['low']:,} to {proportion['high']:,})"


def _first_rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as stream:
        return [orjson.loads(line) for _, line in zip(range(CONVERSATIONS), stream, strict=False)]
