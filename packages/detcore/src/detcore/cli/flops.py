"""`detcore flops`: how large a model is and how much it computes."""

from __future__ import annotations

import argparse

from cvcore import DictAction
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Count parameters and multiply-adds of a config's model. "
    "Example: detcore flops faster_rcnn_r50_fpn_1x_coco --shape 800 1280"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A config and the size of an image."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("--shape", type=int, nargs="+", default=[800, 1280], help="height and width, or one side")
    add("--size-divisor", type=int, default=32, help="round the sides up to a multiple of this")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Print the counts of the whole model and of its parts."""
    from rich.console import Console
    from rich.table import Table

    from cvcore.cnn.complexity import flops_to_string, params_to_string
    from detcore.apis.config_files import read_config
    from detcore.apis.measure.complexity import model_complexity

    if len(args.shape) not in (1, 2) or min(args.shape) < 1 or args.size_divisor < 1:
        raise DetcoreError(f"--shape {args.shape}: give height and width in pixels, or one side")
    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    found = model_complexity(cfg, args.shape[0], args.shape[-1], args.size_divisor)
    table = Table(box=None, pad_edge=False)
    table.add_column("part")
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds", justify="right")
    for part in found.parts:
        flops = flops_to_string(part.flops) if part.flops else "-"
        table.add_row(part.name, params_to_string(part.parameters), flops)
    total = (params_to_string(found.parameters), flops_to_string(found.flops))
    table.add_row("all", *total, style="bold")
    console = Console(highlight=False)
    console.print(f"{cfg['model']['type']} on {found.shape[0]} x {found.shape[1]} pixels")
    console.print(table)
    share = found.trainable / max(found.parameters, 1)
    console.print(
        f"{params_to_string(found.trainable)} of the parameters are trained ({share:.0%})"
    )
    return 0
