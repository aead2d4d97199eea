"""`detcore browse`: training samples as pictures, after their transforms."""

from __future__ import annotations

import argparse
from pathlib import Path

from cvcore import DictAction
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Draw samples as training sees them, with boxes and masks. "
    "Example: detcore browse my_config.py --out samples/ --number 16"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to draw, how much of it, and where to."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("--out", default="samples", help="folder for the pictures and contact_sheet.jpg")
    add("--number", type=int, default=16, help="samples to draw")
    add("--seed", type=int, default=0, help="chooses the samples and their augmentation")
    add("--epoch", type=int, default=0, help="draw what this epoch sees, counted from 0")
    add("--split", choices=("train", "val", "test"), default="train", help="which data to draw")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Draw the samples one by one, then the sheet."""
    from rich.console import Console

    from detcore.apis.browse import browse, write_samples
    from detcore.apis.config_files import read_config

    if args.number < 1:
        raise DetcoreError(f"--number {args.number}: draw at least one sample")
    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    if args.split not in cfg.get("data", {}):
        raise DetcoreError(f"{args.config}: no data.{args.split}; it is needed to draw samples")
    settings = cfg["data"][args.split]
    console = Console(soft_wrap=True)
    samples = []
    for sample in browse(settings, args.number, args.seed, args.epoch):
        height, width = sample.picture.shape[:2]
        line = f"{sample.index}: {sample.name}, {width} x {height}, {sample.num_objects} objects"
        console.print(line, highlight=False, markup=False)
        samples.append(sample)
    sheet = write_samples(samples, Path(args.out))
    console.print(f"{len(samples)} samples in {args.out}; all at a glance: {sheet}", markup=False)
    return 0
