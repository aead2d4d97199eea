"""`detcore convert data`: a folder of annotated images to COCO or YOLO."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detcore.datasets.formats import Converted

DESCRIPTION = (
    "Convert a folder of annotated images. The source is COCO, YOLO, PASCAL VOC, Cityscapes, "
    "LabelMe, CVAT, Open Images or images alone. "
    "Example: detcore convert data labelled/ labelled_coco/ --val 0.2"
)
SOURCES = ("auto", "coco", "yolo", "voc", "cityscapes", "labelme", "cvat", "openimages", "images")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where, to where, and how."""
    add = parser.add_argument
    add("source", type=Path, help="folder to read")
    add("target", type=Path, help="folder to write")
    add(
        "--from",
        dest="source_format",
        choices=SOURCES,
        default="auto",
        metavar="FORMAT",
        help=f"format of source: {', '.join(SOURCES)}",
    )
    add("--to", dest="target_format", choices=("coco", "yolo"), default="coco")
    add(
        "--images",
        choices=("link", "copy", "none"),
        default="link",
        help="link the images into the target, copy them, or leave them where they are",
    )
    add("--masks", action="store_true", help="to YOLO: write polygons in place of boxes")
    add(
        "--val",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the images to hold out, of a folder that is not divided yet",
    )
    add("--classes", nargs="+", default=(), metavar="NAME", help="class names in label order")
    add(
        "--first-pixel",
        type=int,
        choices=(0, 1),
        default=1,
        help="from VOC: what the xml calls the first pixel; tools other than VOC's begin at 0",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say what came of it."""
    from detcore.datasets.formats import Conversion, ReadOptions, convert_folder

    how = Conversion(
        source_format=args.source_format,
        target_format=args.target_format,
        images=args.images,
        masks=args.masks,
        val_share=args.val,
        read=ReadOptions(tuple(args.classes), args.first_pixel),
    )
    report(convert_folder(args.source, args.target, how), args.target)
    return 0


def report(done: Converted, target: Path) -> None:
    """Source, numbers, what was left out, and what to do next."""
    lines = [f"read {done.source}"]
    for split, number in done.images.items():
        lines.append(f"  {split}: {number} images, {done.objects[split]} objects")
    if done.left_out:
        lines.append(str(done.left_out))
    lines += [f"wrote {path}" for path in done.files]
    lines.append(f"next: detcore check {target}")
    sys.stdout.write("\n".join(lines) + "\n")
