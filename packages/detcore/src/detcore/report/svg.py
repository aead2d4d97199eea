"""Charts as SVG text: lines, bars and a heat map, in the colours of the page around them.

Colours are classes that the page's style sheet knows, so that one picture serves a light and a
dark page. Every mark carries its numbers as a title, which a browser shows under the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 12, 38
NUM_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; ``faint`` draws it thin and without a colour of its own."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    faint: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values to pixels along one axis."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Lines over a grid, with a legend below for those that are not faint."""
    xs = [x for line in lines for x in line.xs]
    ys = [y for line in lines for y in line.ys]
    x_scale, x_ticks = _across(xs)
    y_ticks = ticks(*(y_range or (min([0.0, *ys]), max(ys, default=1.0))))
    y_scale = _Scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    marks = [*_grid(x_ticks, y_ticks, x_scale, y_scale), *_labels(x_label, y_label)]
    coloured = [line for line in lines if not line.faint]
    for line in [line for line in lines if line.faint]:
        marks.append(_polyline(line, x_scale, y_scale, "faint"))
    for index, line in reversed(list(enumerate(coloured))):
        marks.append(_polyline(line, x_scale, y_scale, f"line c{index % NUM_COLOURS}"))
    return _svg(WIDTH, HEIGHT, marks, y_label) + _legend([line.name for line in coloured])


def bar_chart(
    names: Sequence[str], values: Sequence[float], *, label: str, high: float | None = None
) -> str:
    """Horizontal bars, one a name, each with its value at the end."""
    row, name_width = 22, 150
    top = high if high is not None else max([*values, 1e-9])
    scale = _Scale(0.0, top, name_width, WIDTH - 60)
    marks = []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        y = i * row + 4
        width = max(scale(max(value, 0.0)) - name_width, 1.0)
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        marks += [
            f'<text x="{name_width - 8}" y="{y + 12}" class="name">{escape(_short(name))}</text>',
            f'<rect x="{name_width}" y="{y}" width="{width:.1f}" height="15" rx="2" class="bar">'
            f"<title>{escape(name)}: {text}</title></rect>",
            f'<text x="{name_width + width + 6:.1f}" y="{y + 12}" class="value">{text}</text>',
        ]
    return _svg(WIDTH, len(names) * row + 4, marks, label)


def heat_map(
    matrix: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], *, label: str
) -> str:
    """A table of counts, each cell as strong as its share of its row; zeros are left blank."""
    rows, columns = matrix.shape
    cell = max(min(34, 560 // max(rows, columns)), 9)
    left, top = 120, 96
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    marks = []
    for i, j in np.argwhere(matrix > 0).tolist():
        x, y = left + j * cell, top + i * cell
        count, share = int(matrix[i, j]), float(shares[i, j])
        kind = "good" if i == j else "bad"
        title = f"{row_names[i]} taken for {column_names[j]}: {count} ({share:.0%})"
        marks.append(
            f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" class="{kind}" '
            f'fill-opacity="{0.12 + 0.88 * share:.2f}"><title>{escape(title)}</title></rect>'
        )
        if cell >= 24:
            ink = "on" if share > 0.55 else "off"
            marks.append(
                f'<text x="{x + cell / 2 - 0.5}" y="{y + cell / 2 + 4}" class="cell {ink}">'
                f"{count}</text>"
            )
    size = 11 if cell >= 14 else 8
    for i, name in enumerate(row_names):
        y = top + (i + 0.5) * cell + size / 3
        marks.append(
            f'<text x="{left - 6}" y="{y:.1f}" class="name" font-size="{size}">'
            f"{escape(_short(name))}</text>"
        )
    for j, name in enumerate(column_names):
        x = left + (j + 0.5) * cell + size / 3
        marks.append(
            f'<text transform="translate({x:.1f} {top - 6}) rotate(-60)" class="column" '
            f'font-size="{size}">{escape(_short(name, 14))}</text>'
        )
    return _svg(left + columns * cell + 40, top + rows * cell + 4, marks, label)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that enclose ``low`` and ``high``, at most about ``most`` of them."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _across(xs: Sequence[float]) -> tuple[_Scale, list[float]]:
    """The axis from the first to the last x and its ticks; a single x stands in the middle."""
    low, high = min(xs, default=0.0), max(xs, default=1.0)
    if low == high:
        return _Scale(low - 1, high + 1, LEFT, WIDTH - RIGHT), [low]
    inside = [tick for tick in ticks(low, high) if low <= tick <= high]
    return _Scale(low, high, LEFT, WIDTH - RIGHT), inside


def _grid(
    x_ticks: Sequence[float], y_ticks: Sequence[float], x_scale: _Scale, y_scale: _Scale
) -> list[str]:
    marks = []
    for tick in y_ticks:
        y = y_scale(tick)
        marks += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="tick end">{_number(tick)}</text>',
        ]
    for tick in x_ticks:
        x = x_scale(tick)
        marks.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" class="tick middle">'
            f"{_number(tick)}</text>"
        )
    return marks


def _labels(x_label: str, y_label: str) -> list[str]:
    middle = (LEFT + WIDTH - RIGHT) / 2
    height = (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text x="{middle}" y="{HEIGHT - 4}" class="label middle">{escape(x_label)}</text>',
        f'<text transform="translate(12 {height}) rotate(-90)" class="label middle">'
        f"{escape(y_label)}</text>",
    ]


def _polyline(line: Line, x_scale: _Scale, y_scale: _Scale, kind: str) -> str:
    points = [
        (x_scale(x), y_scale(min(max(y, y_scale.low), y_scale.high)))
        for x, y in zip(line.xs, line.ys, strict=True)
    ]
    last = f": {line.ys[-1]:.4g}" if len(line.ys) else ""
    title = f"<title>{escape(line.name)}{last}</title>"
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{kind}">{title}</circle>'
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" class="{kind}">{title}</polyline>'


def _legend(names: Sequence[str]) -> str:
    items = "".join(
        f'<li><span class="key k{i % NUM_COLOURS}"></span>{escape(name)}</li>'
        for i, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>' if len(names) > 1 else ""


def _svg(width: float, height: float, marks: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{width:.0f}px">{"".join(marks)}</svg>'
    )


def _number(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def _short(name: str, most: int = 20) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
