"""Rows one after the other: measured, shown, and written after every round."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial

from rich.console import Console
from scripts.benchmark import tables
from scripts.benchmark.pairing import RowResult, measure
from scripts.benchmark.process import Side, run_probe
from scripts.benchmark.rows import TORCHVISION, Row


def measured(
    rows: Iterable[Row], args: argparse.Namespace, sides: Sequence[Side], console: Console
) -> list[RowResult]:
    """Measure every row on the sides that know it.

    Args:
        rows: Made when their turn comes.
        args: Of the command line: ``layer``, ``pairs``, ``threads``, ``out``, ``markdown``.
        sides: Ours first.
        console: Shows each row when it is done.
    """
    results: list[RowResult] = []
    settings = {**tables.machine(args.threads), "layer": args.layer, "pairs": args.pairs}
    run = partial(run_probe, threads=args.threads)
    for row in rows:
        place = len(results)

        def keep(result: RowResult, place: int = place) -> None:
            results[place:] = [result]
            tables.write(results, settings, args.out, args.markdown)

        wanted = [side for side in sides if side.name != TORCHVISION or row.torchvision]
        with console.status(f"measuring: {row.name}"):
            measure(row, wanted, args.pairs, run, keep)
        tables.show(results[place:], console)
    return results
