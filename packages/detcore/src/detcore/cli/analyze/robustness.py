"""`detcore analyze robustness`: AP under corruptions of the images.

Michaelis et al., "Benchmarking Robustness in Object Detection: Autonomous Driving when Winter is
Coming", 2019.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cvcore import DictAction

if TYPE_CHECKING:
    from detcore.apis.measure.robustness import Robustness

DESCRIPTION = (
    "Evaluate a checkpoint on corrupted images. Example: detcore analyze robustness my_config.py "
    "latest.pth --corruptions noise fog --severities 0 3 --out robustness.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, and what is done to the images."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("checkpoint", help="weights to evaluate")
    add("--corruptions", nargs="+", default=["benchmark"], metavar="NAME", help="names or groups")
    add("--severities", nargs="+", type=int, default=[0, 1, 2, 3, 4, 5], help="0 changes nothing")
    add("--eval", default="bbox", metavar="METRIC", help="the metric, such as bbox or segm")
    add("--key", help="the score to average, such as bbox_mAP; by default the first")
    add("--out", type=Path, help="write every score to this .json file")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Evaluate under each corruption; print the table and the means."""
    from cvcore.fileio import atomic_write
    from detcore.apis.config_files import read_config
    from detcore.apis.measure.robustness import measure_robustness

    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    found = measure_robustness(
        cfg,
        args.checkpoint,
        corruptions=args.corruptions,
        severities=args.severities,
        metric=args.eval,
        key=args.key,
    )
    _print(found)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(args.out, "w") as file:
            file.write(json.dumps(found.as_dict(), indent=1))
    return 0


def _print(found: Robustness) -> None:
    from rich.console import Console
    from rich.table import Table

    severities = sorted({severity for severity in found.severities if severity})
    table = Table(box=None, pad_edge=False)
    table.add_column(found.key)
    for severity in severities:
        table.add_column(f"severity {severity}", justify="right")
    for name, scores in found.corrupted.items():
        table.add_row(name, *(f"{scores[severity]:.3f}" for severity in severities))
    console = Console(highlight=False)
    console.print(table)
    lines = {"clean": found.clean, "mean under corruption": found.mean, "relative": found.relative}
    for name, value in lines.items():
        if value is not None:
            console.print(f"{name}: {value:.3f}")
