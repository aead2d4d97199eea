"""`detcore convert checkpoint`: weights of other projects to checkpoints of detcore."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detcore.errors import DetcoreError

if TYPE_CHECKING:
    from rich.console import Console

    from detcore.compat.checkpoints.converted import Converted

DESCRIPTION = (
    "Convert weights: torchvision's detectors and classifiers, detectron2's .pkl files, pycls' "
    "RegNets, MoCo's and SwAV's ResNets, and MMDetection's checkpoints of version 1 on. "
    "Example: detcore convert checkpoint "
    "fasterrcnn.pth converted.pth --config faster_rcnn_r50_fpn_torchvision"
)
LISTED = 20  # keys in one line of the report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to convert, from where to where, and the config that it is for."""
    add = parser.add_argument
    add("source", help="a file, or an address such as torchvision://resnet50")
    add("target", type=Path, help="the .pth file to write")
    add("--config", help="the config that the weights are for; it is compared and put inside")
    add("--class-rows", type=int, nargs="+", metavar="ROW", help="torchvision's classes to take")
    add(
        "--batch-norm-eps",
        type=float,
        default=1e-5,
        metavar="EPS",
        help="epsilon of torchvision's batch norms: 0 for its COCO_V1 weights of Faster R-CNN, "
        "Mask R-CNN and RetinaNet",
    )
    add("--force", action="store_true", help="write the file although weights and config differ")


def run(args: argparse.Namespace) -> int:
    """Convert, report, compare with the config, write."""
    from rich.console import Console

    from detcore.apis.convert import convert_file

    if not args.target.name.endswith((".pth", ".pth.tar")):
        raise DetcoreError(f"{args.target}: a checkpoint's name ends in .pth")
    converted, meta = convert_file(args.source, args.class_rows, args.batch_norm_eps)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    report(converted, console)
    # A config of an earlier version inside the file would not fit the converted weights.
    kept = {key: value for key, value in meta.items() if key in {"CLASSES", "PALETTE"}}
    kept["converted_from"] = converted.source
    if args.config is not None:
        kept |= compared(converted, args.config, args.force, console)
    write(converted, args.target, kept)
    console.print(f"{len(converted.state_dict)} weights -> {args.target}")
    if "config" in kept:
        console.print(f"next: detcore predict {args.target} PHOTO.jpg --out pictures/")
    return 0


def report(converted: Converted, console: Console) -> None:
    """What the weights were taken for, what was done, and what was left out."""
    console.print(f"read as {converted.source}")
    for note in converted.notes:
        console.print(f"  {note}")
    if converted.left_out:
        shown = ", ".join(converted.left_out[:LISTED])
        more = len(converted.left_out) - LISTED
        console.print(f"  left out: {shown}{f' and {more} more' if more > 0 else ''}")


def compared(converted: Converted, config: str, force: bool, console: Console) -> dict[str, Any]:
    """Compare with the model of a config; what the checkpoint carries of the config.

    Raises:
        DetcoreError: Keys or shapes differ, and ``force`` is not set.
    """
    from detcore.apis.config_files import read_config
    from detcore.apis.convert import compare_with_config

    cfg = read_config(config)
    differences = compare_with_config(converted.state_dict, cfg)
    if differences and not force:
        raise DetcoreError(
            f"the weights do not fit the model of {config}: {differences.table()}\n"
            "Nothing was written; give another config, or --force to write what there is"
        )
    console.print(f"  compared with {config}: {differences.table() if differences else 'they fit'}")
    is_detector = any(key.startswith("backbone.") for key in converted.state_dict)
    return {"config": cfg.pretty_text} if is_detector else {}


def write(converted: Converted, target: Path, meta: dict[str, Any]) -> None:
    """Write a checkpoint as a run does: whole or not at all, with a checksum."""
    from cvcore.runner.checkpoint import write_checkpoint

    target.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint({"meta": meta, "state_dict": converted.state_dict}, target)
