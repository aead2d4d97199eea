"""A chart that stands alone: the report's drawing with its colours inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from detcore.report.svg import HEIGHT, WIDTH, Line, line_chart

TITLE_HEIGHT, LEGEND_HEIGHT = 26, 22
COLOURS = ("#0b6e99", "#d9742b", "#3a9a5b")
STYLE = (
    "text{font:12.5px system-ui,sans-serif;fill:#6a7078}.grid{stroke:#e3e1dc}"
    ".end{text-anchor:end}.middle{text-anchor:middle}.title{fill:#22252a;font-weight:600}"
    "polyline{fill:none;stroke-width:2}"
) + "".join(f".c{i}{{stroke:{colour}}}" for i, colour in enumerate(COLOURS))


def chart(lines: Sequence[Line], x_label: str, y_label: str, title: str) -> str:
    """The text of an SVG file with a title above and a legend below."""
    drawn = line_chart(lines, x_label=x_label, y_label=y_label)
    inside = drawn[drawn.index(">") + 1 : drawn.index("</svg>")]
    height = TITLE_HEIGHT + HEIGHT + LEGEND_HEIGHT
    legend = "".join(
        f'<line x1="{60 + 120 * i}" x2="{80 + 120 * i}" y1="{height - 12}" y2="{height - 12}" '
        f'class="c{i}" stroke-width="3"/>'
        f'<text x="{86 + 120 * i}" y="{height - 8}">{escape(line.name)}</text>'
        for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="52" y="17" class="title">{escape(title)}</text>'
        f'<g transform="translate(0 {TITLE_HEIGHT})">{inside}</g>{legend}</svg>\n'
    )
