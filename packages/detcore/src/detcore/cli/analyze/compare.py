"""`detcore analyze compare`: two evaluations, class by class."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from detcore.errors import DetcoreError

DESCRIPTION = (
    "Show what changed from one evaluation to another, class by class, the largest change first. "
    "Example: detcore analyze compare runs/a runs/b --key AP50"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two reports and the figure to compare."""
    add = parser.add_argument
    add("before", help="a work dir, its report folder, or a report.json")
    add("after", help="as before")
    add("--key", default="AP", help="AP, AP50, AP75, 'AP small', 'AP medium' or 'AP large'")
    add("--masks", action="store_true", help="compare masks instead of boxes")


def run(args: argparse.Namespace) -> int:
    """Print the scores of both and the change of every class."""
    from rich.console import Console
    from rich.table import Table

    from detcore.report.classes import FIGURES

    if args.key not in FIGURES:
        raise DetcoreError(f"--key {args.key!r}: choose one of {', '.join(map(repr, FIGURES))}")
    before, after = _read(args.before), _read(args.after)
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right")
    for name, value in before["scores"].items():
        other = after["scores"].get(name)
        if isinstance(value, float) and isinstance(other, float):
            table.add_row(name, *_cells(value, other))
    table.add_section()
    kind = "mask_ap" if args.masks else "box_ap"
    one, two = _figures(before, kind, args.key), _figures(after, kind, args.key)
    shared = one.keys() & two.keys()
    if not shared:
        raise DetcoreError(f"{args.before} and {args.after} share no class with {args.key}")
    for name in sorted(shared, key=lambda name: (-abs(two[name] - one[name]), name)):
        table.add_row(name, *_cells(one[name], two[name]))
    console = Console(highlight=False)
    console.print(table)
    alone = sorted(one.keys() ^ two.keys())
    if alone:
        console.print(f"in one of the two only: {', '.join(alone)}", markup=False)
    return 0


def _read(name: str) -> dict[str, Any]:
    given = Path(name)
    for path in (given, given / "report.json", given / "report" / "report.json"):
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or "classes" not in content:
                raise DetcoreError(f"{path}: this is no report.json of detcore")
            return content
    raise DetcoreError(
        f"{name}: no report here; evaluate with --work-dir, or run detcore analyze results"
    )


def _figures(report: dict[str, Any], kind: str, key: str) -> dict[str, float]:
    """The figure of every class that has it."""
    tables = {one["name"]: one[kind] or {} for one in report["classes"]}
    return {name: table[key] for name, table in tables.items() if table.get(key) is not None}


def _cells(before: float, after: float) -> tuple[str, str, str]:
    change = after - before
    colour = "green" if change > 0.0005 else "red" if change < -0.0005 else "dim"
    return f"{before:.3f}", f"{after:.3f}", f"[{colour}]{change:+.3f}[/]"
