"""`detcore split`: a COCO file into parts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detcore.errors import AnnotationError, DetcoreError

DESCRIPTION = (
    "Share the images of a COCO json out, every part with its share of every class. Example: "
    "detcore split all.json --val 0.2   writes all_train.json and all_val.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file and one way to share it out."""
    add = parser.add_argument
    add("annotations", type=Path, help="a COCO json")
    add("--out", type=Path, help="folder of the parts; that of the json by default")
    add("--val", type=float, default=0.2, help="share of the images to validate on")
    add("--test", type=float, default=0.0, help="share of the images to test on")
    add("--folds", type=int, metavar="K", help="write K pairs for cross-validation instead")
    add(
        "--percent",
        type=float,
        nargs="+",
        metavar="P",
        help="write labelled and unlabelled parts of P percent, for semi-supervised training",
    )
    add("--seed", type=int, default=0, help="of the order among equals")


def run(args: argparse.Namespace) -> int:
    """Read, share out, write, and say what went where."""
    document = _read(args.annotations)
    out = args.out or args.annotations.parent
    out.mkdir(parents=True, exist_ok=True)
    for name, part in _parts(document, args).items():
        path = out / f"{args.annotations.stem}_{name}.json"
        path.write_text(json.dumps(part, ensure_ascii=False), encoding="utf-8")
        counts = f"{len(part['images'])} images, {len(part['annotations'])} annotations"
        sys.stdout.write(f"{path}: {counts}\n")
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise AnnotationError(f"{path}: not JSON: {error}") from error
    if not isinstance(document, dict) or not {"images", "categories"} <= document.keys():
        raise AnnotationError(f"{path}: a COCO json has the keys images, annotations, categories")
    return document


def _parts(document: Mapping[str, Any], args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    from detcore.datasets.coco.split import split_document

    if args.folds is not None:
        return _folds(document, args.folds, args.seed)
    if args.percent is not None:
        found: dict[str, dict[str, Any]] = {}
        for percent in args.percent:
            if not 0 < percent < 100:
                raise DetcoreError(f"--percent {percent:g}: give numbers between 0 and 100")
            shares = {f"{percent:g}_labelled": percent, f"{percent:g}_unlabelled": 100 - percent}
            found |= split_document(document, shares, args.seed)
        return found
    if args.val < 0 or args.test < 0 or not 0 < args.val + args.test < 1:
        raise DetcoreError("--val and --test are shares of which the sum lies between 0 and 1")
    shares = {"train": 1 - args.val - args.test, "val": args.val, "test": args.test}
    return split_document(document, {k: v for k, v in shares.items() if v > 0}, args.seed)


def _folds(document: Mapping[str, Any], count: int, seed: int) -> dict[str, dict[str, Any]]:
    from detcore.datasets.coco.split import split_document, subset

    if count < 2:
        raise DetcoreError(f"--folds {count}: give 2 or more")
    held_out = split_document(document, {f"fold{i}_val": 1.0 for i in range(1, count + 1)}, seed)
    found: dict[str, dict[str, Any]] = {}
    for name, part in held_out.items():
        away = {image["id"] for image in part["images"]}
        rest = [i for i, image in enumerate(document["images"]) if image["id"] not in away]
        found[name.replace("val", "train")] = subset(document, rest)
        found[name] = part
    return found
