"""Charts as inline SVG figures: plain marks in the page's colours, a title for every mark and a label for the whole.

Everything that is written into a figure passes `_tag`, which escapes it: a name or a title can hold no markup.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 22, 40
HIGH, WIDE = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
WIDEST = 56  # of a bar
MOST_DOTS = 40  # a line with more points is drawn without them
COLORS = 6  # of lines: style.css has c0 to c5
HUGE = 1e300
SPAN_LEFT = 100  # of the lines of intervals, behind their numbers
SPAN_NAME = 52  # letters of a name above them


@dataclass(frozen=True)
class Bar:
    """A bar: how high it is, what stands below it (nothing where there is no room), what it says when pointed at."""

    count: float
    name: str
    title: str


@dataclass(frozen=True)
class Line:
    """A line: its name and its points (x, y) in order; its color is its place in the chart unless it is named."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int = -1


@dataclass(frozen=True)
class Span:
    """A value of a series and the interval around it, whose ends may be infinite."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spans:
    """What two series have of one thing, with so many digits."""

    name: str
    given: Sequence[Span]
    digits: int

    def said(self, span: Span) -> str:
        """Returns one of them in words."""
        value, low, high = (f"{each:.{self.digits}f}" for each in (span.value, span.low, span.high))
        return f"{span.name} {value} ({low} to {high})"


@dataclass(frozen=True)
class Mark:
    """An upright line at a place of the x axis, and the words beside it."""

    at: float
    text: str


def bars(title: str, said: str, across: str, given: Sequence[Bar], mark: Mark | None = None) -> Markup:
    """Returns a bar chart; a mark stands so many bars from the left. `said` tells the chart to who cannot see it."""
    ticks = nice_ticks(0, max((bar.count for bar in given), default=0) or 1)
    step = WIDE / max(len(given), 1)
    gap = max(min(step * 0.12, 3), (step - WIDEST) / 2)
    drawn = [_y_axis(ticks, [short(tick) if float(tick).is_integer() else "" for tick in ticks])]
    for at, bar in enumerate(given):
        x, high = LEFT + at * step, max(HIGH * bar.count / ticks[-1], 1)
        if bar.count:
            drawn.append(_tag("rect", _tag("title", bar.title), class_="bar", x=x + gap, y=HEIGHT - BOTTOM - high,
                              width=max(step - 2 * gap, 0.5), height=high, rx=min(2.0, step / 6)))  # fmt: skip
        if bar.name:
            drawn.append(_below(x + step / 2, bar.name))
    if mark and mark.at <= len(given):
        drawn.append(_marked(LEFT + mark.at * step, mark.text))
    return _figure(title, said, across, drawn)


def curve(title: str, said: str, across: str, percentiles: Sequence[int], mark: Mark | None = None) -> Markup:
    """Returns the cumulative share (0 to 100 %) of what is at most so large; the last percentile may lie outside."""
    ticks = nice_ticks(0, max(percentiles[99], (mark.at if mark else 0) * 1.05, 1))
    reach = ticks[-1]
    points = [(LEFT + WIDE * min(value, reach) / reach, HEIGHT - BOTTOM - HIGH * at / 100)
              for at, value in enumerate(percentiles)]  # fmt: skip
    line, floor = _points(points), HEIGHT - BOTTOM
    shares = range(0, 101, 25)
    drawn = [
        _y_axis(shares, [f"{share} %" for share in shares]),
        _tag("polygon", class_="area", points=f"{LEFT},{floor} {line} {points[-1][0]:.1f},{floor}"),
        _tag("polyline", class_="line c0", points=line),
    ]
    drawn += [_below(LEFT + WIDE * tick / reach, short(tick), tick == reach) for tick in ticks]
    if mark and mark.at <= reach:
        drawn.append(_marked(LEFT + WIDE * mark.at / reach, mark.text))
    return _figure(title, said, across, drawn)


def lines(title: str, given: Sequence[Line], across: str = "step") -> Markup:
    """Returns lines over the same axes; points.js tells their values at a step, by pointer and by arrow keys.

    Empty lines are left out, and so are points that no axis can show: a loss that has become NaN or infinite.
    """
    shown = [Line(line.name, [(x, y) for x, y in line.points if abs(y) < HUGE],
                  (at if line.color < 0 else line.color) % COLORS) for at, line in enumerate(given)]  # fmt: skip
    shown = [line for line in shown if line.points]
    if not shown:
        return _tag("figure", _tag("figcaption", title), _tag("p", "Nothing was logged.", class_="soft"))
    xs = [x for line in shown for x, _ in line.points]
    ys = [y for line in shown for _, y in line.points]
    first, last = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    ticks = nice_ticks(min(ys), max(ys))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return LEFT + WIDE * (x - first) / (last - first), _height(y, ticks)

    drawn = [_y_axis(ticks, list(map(number, ticks)))]
    steps = [step for step in nice_ticks(first, last) if first <= step <= last and float(step).is_integer()]
    for step in steps if len(steps) > 1 else (first, last):
        x, _ = place((step, ticks[0]))
        drawn.append(_below(x, number(step), x > WIDTH - RIGHT - 12))
    for line in shown:
        places = list(map(place, line.points))
        drawn.append(_tag("polyline", class_=f"line c{line.color}", points=_points(places), data_name=line.name,
                          data_at=" ".join(f"{x:g}" for x, _ in line.points),
                          data_values=" ".join(number(y) for _, y in line.points)))  # fmt: skip
        if len(places) <= MOST_DOTS:
            drawn += [
                _tag("circle", _tag("title", f"{line.name}: {number(y)} at {number(x)}"),
                     class_=f"dot c{line.color}", cx=cx, cy=cy, r=3)
                for (cx, cy), (x, y) in zip(places, line.points, strict=True)
            ]  # fmt: skip
    said = "; ".join(f"{line.name} {number(line.points[0][1])} to {number(line.points[-1][1])}" for line in shown)
    keys = [_tag("span", line.name, class_=f"key c{line.color}") for line in shown]
    return _figure(title, f"{title}: {said}", across, drawn, keys if len(shown) > 1 else ())


def intervals(title: str, rows: Sequence[Spans], series: Sequence[str], reach: float | None = None) -> Markup:
    """Returns a line for every interval, with a point at its value; `reach`: all share a scale from 0 to there."""
    drawn, y = [], 0.0
    for row in rows:
        ends = [each for span in row.given for each in (0.0, span.value, span.low, span.high) if abs(each) < HUGE]
        low, high = (0.0, reach) if reach else (min(ends), max(ends))
        drawn += [
            _tag("text", shortened(row.name), class_="row", x=0, y=y + 22),
            _tag("line", class_="grid", x1=0, x2=WIDTH, y1=y + 29, y2=y + 29),
        ]
        y += 29
        for span in row.given:
            y += 18
            color = f"c{1 - series.index(span.name)}"  # the later series is the one that it is about
            at, first, last = (
                SPAN_LEFT + (WIDTH - SPAN_LEFT - 6) * (min(max(each, low), high) - low) / (high - low or 1)
                for each in (span.value, span.low, span.high)
            )
            drawn += [
                _tag("text", f"{span.name} {span.value:.{row.digits}f}", class_=f"key {color}", x=0, y=y),
                _tag("line", class_=f"line span {color}", x1=first, x2=last, y1=y - 4, y2=y - 4),
                _tag("circle", _tag("title", f"{row.name}: {row.said(span)}"), class_=f"dot {color}",
                     cx=at, cy=y - 4, r=4.5),
            ]  # fmt: skip
        y += 6
    said = "; ".join(f"{row.name}: {', '.join(map(row.said, row.given))}" for row in rows)
    svg = _tag("svg", *drawn, role="img", aria_label=f"{title}: {said}", viewBox=f"0 0 {WIDTH} {y + 8:.0f}")
    return _tag("figure", _tag("figcaption", title), svg)


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Returns round numbers that enclose low and high, at most about `most` + 1 of them."""
    span = high - low or abs(high) or 1.0
    rough = span / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [at * step for at in range(first, max(last, first + 1) + 1)]


def number(value: float) -> str:
    """Returns a number in few digits: 12,345 and 3.14 and 1e-05 and 1.3e+15."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def short(value: float) -> str:
    """Returns a number for an axis that begins at 0: 950, 1.5k, 20k, 3M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def shortened(name: str) -> str:
    """Returns a name that is no wider than a chart."""
    return name if len(name) <= SPAN_NAME else f"{name[: SPAN_NAME - 1]}…"


def _tag(name: str, *inside: object, **attributes: object) -> Markup:
    """Returns an element; what is inside or in an attribute and is not markup itself is escaped."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(round(value, 1) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{''.join(map(escape, inside))}</{name}>")


def _figure(title: str, said: str, across: str, drawn: list[Markup], keys: Sequence[Markup] = ()) -> Markup:
    axis = _tag("text", across, class_="axis", x=LEFT + WIDE / 2, y=HEIGHT - 6, text_anchor="middle")
    svg = _tag("svg", *drawn, axis, role="img", aria_label=said, viewBox=f"0 0 {WIDTH} {HEIGHT}")
    return _tag("figure", _tag("figcaption", title), *keys, svg)


def _height(value: float, ticks: Sequence[float]) -> float:
    return HEIGHT - BOTTOM - HIGH * (value - ticks[0]) / (ticks[-1] - ticks[0])


def _y_axis(ticks: Sequence[float], names: Sequence[str]) -> Markup:
    drawn = []
    for tick, name in zip(ticks, names, strict=True):
        y = _height(tick, ticks)
        drawn.append(_tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        if name:
            drawn.append(_tag("text", name, class_="tick", x=LEFT - 6, y=y + 4, text_anchor="end"))
    return Markup("").join(drawn)


def _below(x: float, name: str, is_last: bool = False) -> Markup:
    anchor = "end" if is_last else "middle"
    return _tag("text", name, class_="tick", x=x, y=HEIGHT - BOTTOM + 15, text_anchor=anchor)


def _marked(x: float, text: str) -> Markup:
    anchor, shift = ("start", 5) if x < WIDTH * 0.6 else ("end", -5)
    line = _tag("line", class_="mark", x1=x, x2=x, y1=TOP - 8, y2=HEIGHT - BOTTOM)
    return line + _tag("text", text, class_="marked", x=x + shift, y=TOP - 2, text_anchor=anchor)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
