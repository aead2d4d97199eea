"""`detcore analyze confusion`: what is taken for what."""

from __future__ import annotations

import argparse
from pathlib import Path

from detcore.cli.analyze.evaluated import add_inputs, read_inputs

DESCRIPTION = (
    "Print the confusion matrix: rows are what is there, columns what was said. "
    "Example: detcore analyze confusion my_config.py results.pkl --score-thr 0.3 --out matrix.csv"
)
WIDEST = 12  # classes that still fit a terminal; of more, the most frequent confusions are listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Inputs, and a file for the matrix."""
    add_inputs(parser)
    parser.add_argument("--out", type=Path, help="write the counts to this .csv file")


def run(args: argparse.Namespace) -> int:
    """Print the matrix, or of many classes its largest entries beside the diagonal."""
    from rich.console import Console
    from rich.table import Table

    from cvcore.fileio import atomic_write
    from detcore.report import analyse

    _, dataset, results = read_inputs(args)
    found = analyse(dataset, results, score_thr=args.score_thr, pictures=0)
    rows, columns = [*found.class_names, "nothing"], [*found.class_names, "not found"]
    counts = found.confusion.tolist()
    console = Console(highlight=False)
    console.print(f"at scores from {found.score_thr:.3f} on, overlap 0.5")
    table = Table(box=None, pad_edge=False)
    if len(found.class_names) <= WIDEST:
        table.add_column("there \\ said")
        for name in columns:
            table.add_column(name, justify="right")
        for name, row in zip(rows, counts, strict=True):
            table.add_row(name, *map(str, row))
    else:
        for heading in ("there", "said", "count"):
            table.add_column(heading)
        pairs = [
            (count, rows[i], columns[j])
            for i, row in enumerate(counts)
            for j, count in enumerate(row)
            if i != j and count
        ]
        for count, there, said in sorted(pairs, reverse=True)[:20]:
            table.add_row(there, said, str(count))
    console.print(table)
    if args.out:
        lines = [",".join(["there", *columns])]
        lines += [",".join([name, *map(str, row)]) for name, row in zip(rows, counts, strict=True)]
        with atomic_write(args.out, "w") as file:
            file.write("\n".join([*lines, ""]))
    return 0
