"""`detcore anchors`: anchor sizes that fit the boxes of a data set."""

from __future__ import annotations

import argparse
import sys

from cvcore import DictAction
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Fit anchor sizes to the boxes that a config trains on. "
    "Example: detcore anchors my_config.py --input-shape 608 608 --count 9"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A config, the size of the network's input, and how to search."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add(
        "--input-shape", type=int, nargs=2, default=[608, 608], metavar=("W", "H"), help="in pixels"
    )
    add("--count", type=int, default=9, help="anchors in all")
    add("--levels", type=int, default=3, help="levels that they are shared out over")
    add("--algorithm", choices=["k-means", "differential_evolution"], default="k-means")
    add("--iters", type=int, default=1000, help="iterations, at most")
    add("--stretch", action="store_true", help="images are resized without keeping their aspect")
    add("--seed", type=int, default=0, help="of the search")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Print the sizes in the form of a config, and how well they fit."""
    from detcore.apis.config_files import read_config
    from detcore.apis.measure import anchor_sizes
    from detcore.datasets import build_dataset

    if args.count % args.levels or min(args.count, args.levels) < 1:
        raise DetcoreError(f"--count {args.count} is no multiple of --levels {args.levels}")
    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    dataset = build_dataset(cfg["data"]["train"])
    while hasattr(dataset, "dataset"):  # repeated, or mixed from several images
        dataset = dataset.dataset
    shape = (args.input_shape[0], args.input_shape[1])
    sizes = anchor_sizes.box_sizes(dataset, shape, keep_ratio=not args.stretch)
    if args.algorithm == "k-means":
        anchors = anchor_sizes.k_means(sizes, args.count, args.iters, args.seed)
    else:
        anchors = anchor_sizes.evolve(sizes, args.count, shape, args.iters, args.seed)
    overlap = anchor_sizes.mean_overlap(sizes, anchors)
    sys.stdout.write(f"{len(sizes)} boxes; mean IoU with the best anchor {overlap:.3f}\n")
    sys.stdout.write(f"base_sizes={anchor_sizes.as_base_sizes(anchors, args.levels)}\n")
    return 0
