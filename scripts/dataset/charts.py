"""Charts as inline SVG: plain marks in the page's own colours, with a title for every mark and a label for the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 22, 40
WIDEST = 56  # of a bar


def bars(counts: Sequence[float], label: str, names: Sequence[str], titles: Sequence[str], across: str,
         mark: tuple[float, str] | None = None) -> str:  # fmt: skip
    """Returns a bar chart. `names` label the x axis (empty: no label), `mark` is (position in bars, text) of a line."""
    top = nice(max(counts, default=0) or 1)
    step = (WIDTH - LEFT - RIGHT) / max(len(counts), 1)
    out = [_y_axis(top)]
    for at, (count, name, title) in enumerate(zip(counts, names, titles, strict=True)):
        height = (HEIGHT - TOP - BOTTOM) * count / top
        x = LEFT + at * step
        gap = max(min(step * 0.12, 3), (step - WIDEST) / 2)
        if count:
            out.append(
                f'<rect class="bar" x="{x + gap:.1f}" y="{HEIGHT - BOTTOM - max(height, 1):.1f}" '
                f'width="{max(step - 2 * gap, 0.5):.1f}" height="{max(height, 1):.1f}" rx="{min(2.0, step / 6):.1f}">'
                f"<title>{escape(title)}</title></rect>"
            )
        if name:
            out.append(f'<text class="tick" x="{x + step / 2:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">'
                       f"{escape(name)}</text>")  # fmt: skip
    if mark and mark[0] <= len(counts):
        out.append(_mark(LEFT + mark[0] * step, mark[1]))
    return _svg(out, label, across)


def curve(values: Sequence[int], label: str, across: str, mark: tuple[float, str] | None = None) -> str:
    """Returns the cumulative share of conversations (0 to 100 %) up to a length; `values` are the 101 percentiles."""
    reach = nice(max(values[99], (mark or (0, ""))[0] * 1.05, 1))
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    points = [
        (LEFT + wide * min(value, reach) / reach, HEIGHT - BOTTOM - high * at / 100) for at, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = f"{LEFT},{HEIGHT - BOTTOM} {line} {points[-1][0]:.1f},{HEIGHT - BOTTOM}"
    out = [_y_axis(100, " %"), f'<polygon class="area" points="{area}"/>', f'<polyline class="line" points="{line}"/>']
    for at in range(5):
        x = LEFT + wide * at / 4
        anchor = "end" if at == 4 else "middle"
        out.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="{anchor}">'
                   f"{short(reach * at / 4)}</text>")  # fmt: skip
    if mark and mark[0] <= reach:
        out.append(_mark(LEFT + wide * mark[0] / reach, mark[1]))
    return _svg(out, label, across)


def nice(value: float) -> float:
    """Returns the smallest 1, 2, 4, 6 or 8 times a power of ten that is not below `value`: its quarters are round."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value - 1e-9)


def short(number: float) -> str:
    """Returns a number for an axis: 950, 1.5k, 20k, 3M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _y_axis(top: float, unit: str = "") -> str:
    lines = []
    for at in range(5):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * at / 4
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if float(top * at / 4).is_integer() or top > 4:
            lines.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                         f"{short(top * at / 4)}{unit}</text>")  # fmt: skip
    return "".join(lines)


def _mark(x: float, text: str) -> str:
    anchor, shift = ("start", 5) if x < WIDTH * 0.6 else ("end", -5)
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="marked" x="{x + shift:.1f}" y="{TOP - 2}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(parts: list[str], label: str, across: str) -> str:
    middle = (LEFT + WIDTH - RIGHT) / 2
    axis = f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
    return f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}{axis}</svg>'
