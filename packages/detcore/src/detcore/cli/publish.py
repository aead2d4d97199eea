"""`detcore publish`: a checkpoint to give away."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

DESCRIPTION = (
    "Keep what is needed to use a model, and put a hash into its name. "
    "Example: detcore publish runs/a/latest.pth cells.pth   writes cells-1a2b3c4d.pth"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where to where."""
    add = parser.add_argument
    add("checkpoint", help="a checkpoint of a run")
    add("out", type=Path, help="the name to publish under; the hash comes before .pth")
    add("--half", action="store_true", help="store weights as float16: half the size")


def run(args: argparse.Namespace) -> int:
    """Write the published file; say what it weighs."""
    from detcore.apis.publish import publish_checkpoint

    path = publish_checkpoint(args.checkpoint, args.out, half=args.half)
    before, after = Path(args.checkpoint).stat().st_size, path.stat().st_size
    sys.stdout.write(f"{path}: {before / 1e6:.1f} MB -> {after / 1e6:.1f} MB\n")
    sys.stdout.write(f"next: detcore predict {path} PHOTO.jpg\n")
    return 0
