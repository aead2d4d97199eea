"""Tables in plain text, as they go to the log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]], columns: int = 1) -> str:
    """Align `rows` under `header`; text to the left, figures to the right.

    Args:
        columns: how many times the header stands side by side, to keep long tables short.
    """
    columns = max(1, min(columns, len(rows)))
    height = -(-len(rows) // columns)
    cells = [[_cell(value) for value in row] for row in rows]
    cells += [[""] * len(header)] * (height * columns - len(rows))
    # Down the first column, then the second, so that the order of the rows is read as a list.
    lines = [[*chain.from_iterable(cells[i::height])] for i in range(height)]

    heads = list(header) * columns
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    text_columns = {i for i in range(len(header)) if all(isinstance(row[i], str) for row in rows)}
    align = [str.ljust if i % len(header) in text_columns else str.rjust for i in range(len(heads))]
    rule = "-+-".join("-" * width for width in widths)
    body = [
        " | ".join(pad(cell, width) for pad, cell, width in zip(align, line, widths, strict=True))
        for line in [heads, *lines]
    ]
    return "\n".join([body[0], rule, *body[1:]])


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
