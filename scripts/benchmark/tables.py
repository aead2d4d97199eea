"""What was measured, as a table on the terminal, as markdown and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from scripts.benchmark.pairing import Ratio, RowResult
from scripts.benchmark.rows import BASE, OURS, REFERENCE, TORCHVISION, Figure

ORDER = (REFERENCE, BASE, TORCHVISION)


def sides_of(results: Sequence[RowResult]) -> list[str]:
    """The sides beside ours that anything was measured on, in a fixed order."""
    found = {side for result in results for side in result.others()}
    return [side for side in ORDER if side in found]


def lines(results: Sequence[RowResult]) -> tuple[list[str], list[list[str]]]:
    """Head and body of the table of results: one line a figure, one group of columns a side."""
    others = sides_of(results)
    head = ["work", OURS]
    for side in others:
        head += [side, f"{OURS} / {side}"]
    body = []
    targets = any(figure.target is not None for each in results for figure in each.row.figures)
    if targets:
        head += ["target", ""]
    for result in results:
        if result.trouble:
            body.append([result.row.name, f"no figure: {result.trouble}"])
            body[-1] += [""] * (len(head) - 2)
            continue
        body += [_line(result, figure, others, targets) for figure in result.row.figures]
    return head, body


def _line(result: RowResult, figure: Figure, others: Sequence[str], targets: bool) -> list[str]:
    cells = [named(result.row.name, figure), _middle(result, figure, OURS)]
    for side in others:
        ratio = result.ratio(figure, side)
        cells += [_middle(result, figure, side), "" if ratio is None else ratio_text(ratio)]
    if targets:
        cells += _verdict(result, figure)
    return cells


def named(row: str, figure: Figure) -> str:
    """A figure's name, after its row's."""
    space = " " if figure.label and not figure.label.startswith(",") else ""
    return f"{row}{space}{figure.label}"


def _verdict(result: RowResult, figure: Figure) -> list[str]:
    if figure.target is None:
        return ["", ""]
    ratio = result.ratio(figure, REFERENCE)
    met = None if ratio is None else figure.met(ratio.median)
    word = {True: "met", False: "missed", None: ""}[met]
    return [f"{'>=' if figure.at_least else '<='} {figure.target:g}", word]


def _middle(result: RowResult, figure: Figure, side: str) -> str:
    values = result.series(figure, side)
    return f"{number(median(values))} {figure.unit}" if values else ""


def ratio_text(ratio: Ratio) -> str:
    """The median with its range and the number of pairs."""
    return f"{ratio.median:.3f} ({ratio.lowest:.3f} to {ratio.highest:.3f}, {ratio.pairs})"


def number(value: float) -> str:
    """Three significant digits."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def show(results: Sequence[RowResult], console: Console | None = None) -> None:
    """The table, on the terminal."""
    head, body = lines(results)
    table = Table(*head)
    for cells in body:
        table.add_row(*cells)
    (console or Console()).print(table)


def markdown(results: Sequence[RowResult]) -> str:
    """The table, for a document."""
    head, body = lines(results)
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


def document(results: Sequence[RowResult], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, with what it was measured on."""
    return {"settings": settings, "rows": [_row(result) for result in results]}


def _row(result: RowResult) -> dict[str, Any]:
    row = result.row
    figures = []
    for figure in row.figures:
        entry: dict[str, Any] = asdict(figure)
        entry["values"] = {side: result.series(figure, side) for side in result.values}
        ratios = {side: result.ratio(figure, side) for side in result.others()}
        entry["ratios"] = {side: asdict(ratio) for side, ratio in ratios.items() if ratio}
        figures.append(entry)
    return {
        "name": row.name,
        "probe": row.probe,
        "arguments": row.arguments,
        "figures": [] if result.refused else figures,
        "refused": result.refused,
        "failed": result.failed,
        "notes": result.notes,
    }


def write(
    results: Sequence[RowResult],
    settings: dict[str, Any],
    out: Path | None,
    markdown_file: Path | None,
) -> None:
    """Write what there is; a run that is cut off leaves its finished rows."""
    if out is not None:
        _replace(out, json.dumps(document(results, settings), indent=1))
    if markdown_file is not None:
        _replace(markdown_file, markdown(results))


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.part")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def machine(threads: int) -> dict[str, Any]:
    """What absolute times depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
