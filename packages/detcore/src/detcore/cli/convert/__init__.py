"""`detcore convert`: from other formats to those that detcore reads; one file a subject."""

from __future__ import annotations

import argparse
import importlib

DESCRIPTION = "Convert from other formats. Example: detcore convert data labelled/ labelled_coco/"
SUBJECTS = {
    "checkpoint": "weights of other projects to a checkpoint of detcore",
    "data": "a folder of annotated images to COCO or YOLO",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser a subject."""
    subjects = parser.add_subparsers(dest="subject", required=True, metavar=" | ".join(SUBJECTS))
    for name, what in SUBJECTS.items():
        module = importlib.import_module(f"{__name__}.{name}")
        module.add_arguments(subjects.add_parser(name, help=what, description=module.DESCRIPTION))


def run(args: argparse.Namespace) -> int:
    """Hand over to the subject."""
    code: int = importlib.import_module(f"{__name__}.{args.subject}").run(args)
    return code
