"""`detcore analyze occluded`: recall of objects that are partly hidden, or cut into pieces."""

from __future__ import annotations

import argparse
import sys

from detcore.cli.analyze.evaluated import add_inputs, read_inputs

DESCRIPTION = (
    "Count how many occluded and separated objects of COCO's validation set are found, by box and "
    "mask (Zhan et al., 2022). Without --occluded and --separated their lists are downloaded. "
    "Example: detcore analyze occluded my_config.py results.pkl --iou-thr 0.75"
)
SCORE_THR = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Inputs, the two lists, and from when on an object is found."""
    add_inputs(parser)
    add = parser.add_argument
    add("--occluded", metavar="FILE", help="list of occluded objects, .pkl or .json")
    add("--separated", metavar="FILE", help="list of separated objects")
    add("--iou-thr", type=float, default=0.75, help="least overlap of box and of mask")
    add("--out", metavar="FILE", help="write the two figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Read the results as those of the data set that knows the two lists."""
    from cvcore import dump

    lists = {"occluded_ann": args.occluded, "separated_ann": args.separated}
    given = {name: path for name, path in lists.items() if path is not None}
    _, dataset, results = read_inputs(args, {"type": "OccludedSeparatedCocoDataset", **given})
    score_thr = SCORE_THR if args.score_thr is None else args.score_thr
    figures = dataset.evaluate(results, score_thr=score_thr, iou_thr=args.iou_thr, logger="silent")
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value:.2f} %\n")
    if args.out:
        dump(figures, args.out)
    return 0
