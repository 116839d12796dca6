"""A report as one HTML file: its style and drawings are in it, it asks no other host, and follows light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #57606a; --line: #d0d7de; --wash: #f6f8fa;
  --a: #0b62c4; --b: #b3470f; --good: #1a7f37; --bad: #c0222b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #30363d;
  --wash: #161b22; --a: #6cb0ff; --b: #ff9b5e; --good: #57c76d; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
a { color: var(--a); } :focus-visible { outline: 3px solid var(--a); outline-offset: 2px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; } th:first-child { min-width: 8rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td.number, th.number { text-align: right; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; padding: .75rem; background: var(--wash); border: 1px solid var(--line); border-radius: .5rem; }
figcaption { font-weight: 600; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; } .grid { stroke: var(--line); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .c0 { stroke: var(--a); } .c1 { stroke: var(--b); }
.dot { stroke: none; } .dot.c0, .key.c0 { fill: var(--a); color: var(--a); } .dot.c1, .key.c1 { fill: var(--b); color: var(--b); }
.said { white-space: pre-wrap; background: var(--wash); border-left: 3px solid var(--line); padding: .4rem .75rem; margin: .25rem 0; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .25rem 0; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
WIDTH, HEIGHT, LEFT, BOTTOM = 400, 220, 62, 28
HUGE = 1e300


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name and its points (x, y) in order."""

    name: str
    points: Sequence[tuple[float, float]]


def document(title: str, content: str, refresh: int = 0) -> str:
    """Returns the page; with `refresh` it loads itself again after so many seconds, for a run that goes on."""
    again = f'<meta http-equiv="refresh" content="{int(refresh)}">\n' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'{again}<link rel="icon" href="data:,">\n<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f"<main>\n<h1>{text(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )


def text(value: object) -> str:
    """Returns text so that nothing in it can be markup."""
    return html.escape(str(value), quote=True)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """Returns a table; `numbers` are the columns that are set to the right. Cells are text, never markup."""

    def cells(tag: str, row: Sequence[object]) -> str:
        parts = (
            f'<{tag} class="number">{text(cell)}</{tag}>' if at in numbers else f"<{tag}>{text(cell)}</{tag}>"
            for at, cell in enumerate(row)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "\n".join(cells("td", row) for row in rows)
    # A region that scrolls sideways has to be reachable by keyboard.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(head[0] or "table")}"><table><thead>'
        f"{cells('th', head)}</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def chart(title: str, lines: Sequence[Line], x_title: str = "step") -> str:
    """Returns a figure with at most two lines over the same axes, as inline SVG.

    Empty lines are left out, and so are points that no axis can show: a loss that has become NaN or infinite.
    """
    drawn = ((line.name, [(x, y) for x, y in line.points if abs(y) < HUGE]) for line in lines)
    lines = [Line(name, points) for name, points in drawn if points]
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    if not lines:
        return f"<figure><figcaption>{text(title)}</figcaption><p class='soft'>Nothing was logged.</p></figure>"
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    ticks = nice_ticks(min(ys), max(ys))
    y_low, y_high = ticks[0], ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - 12),
            8 + (y_high - y) / (y_high - y_low) * (HEIGHT - BOTTOM - 8),
        )

    parts = []
    for tick in ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for x, anchor in ((x_low, "start"), (x_high, "end")):
        parts.append(f'<text x="{place(x, y_low)[0]:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{number(x)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{text(x_title)}</text>')
    for at, line in enumerate(lines):
        places = [place(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line c{at}" points="{path}"/>')
        if len(places) <= 40:
            parts += [
                f'<circle class="dot c{at}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{text(line.name)}: {number(given_y)} at '
                f"{number(given_x)}</title></circle>"
                for (x, y), (given_x, given_y) in zip(places, line.points, strict=True)
            ]
    said = "; ".join(f"{line.name} {number(line.points[0][1])} to {number(line.points[-1][1])}" for line in lines)
    keys = " ".join(f'<span class="key c{at}">● {text(line.name)}</span>' for at, line in enumerate(lines))
    return (
        f"<figure><figcaption>{text(title)}</figcaption>{keys if len(lines) > 1 else ''}"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}: {text(said)}">{"".join(parts)}</svg></figure>'
    )


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Returns round numbers that enclose low and high, at most about `most` + 1 of them."""
    span = high - low or abs(high) or 1.0
    rough = span / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [at * step for at in range(first, max(last, first + 1) + 1)]


def number(value: float) -> str:
    """Returns a number in few digits: 12,345 and 3.142 and 1e-05."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
