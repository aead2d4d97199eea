"""`detcore analyze errors`: what each kind of error costs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from detcore.cli.analyze.evaluated import add_inputs, read_inputs

DESCRIPTION = (
    "Print how often each kind of error is made, and what AP50 would gain without it. "
    "Example: detcore analyze errors my_config.py results.pkl --out errors.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Inputs, and a file for the figures."""
    add_inputs(parser)
    parser.add_argument("--out", type=Path, help="write the figures to this .json file")


def run(args: argparse.Namespace) -> int:
    """Print the table; write it too if asked."""
    from rich.console import Console
    from rich.table import Table

    from cvcore.fileio import atomic_write
    from detcore.report import analyse
    from detcore.report.errors import EXPLAINED

    _, dataset, results = read_inputs(args)
    kinds = analyse(dataset, results, score_thr=args.score_thr, pictures=0).errors
    table = Table(box=None, pad_edge=False)
    table.add_column("error")
    table.add_column("count", justify="right")
    table.add_column("gain in AP50", justify="right")
    table.add_column("what it is")
    for kind in kinds:
        table.add_row(kind.name, str(kind.count), f"{kind.gain:+.3f}", EXPLAINED[kind.name])
    Console(highlight=False).print(table)
    if args.out:
        with atomic_write(args.out, "w") as file:
            file.write(json.dumps([asdict(kind) for kind in kinds], indent=1))
    return 0
