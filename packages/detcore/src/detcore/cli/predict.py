"""`detcore predict`: a checkpoint and photographs to pictures and records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

DESCRIPTION = "Detect objects. Example: detcore predict latest.pth photo.jpg --out pictures/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A checkpoint, inputs, and where the pictures go."""
    add = parser.add_argument
    add("checkpoint", help="a checkpoint of detcore-train, which needs no config beside it")
    add("images", nargs="+", help="photographs, folders of them, globs or http(s) addresses")
    add("--config", help="for a checkpoint that holds no config of its own")
    add("--out", default="predictions", help="folder for pictures and predictions.json")
    add("--score-thr", type=float, default=0.3, help="leave out detections below this score")
    add("--batch-size", type=int, default=1, help="pictures that go through the network together")
    add("--save-txt", action="store_true", help="also write YOLO label files beside the pictures")
    add("--device", help="such as cpu or cuda:0")


def run(args: argparse.Namespace) -> int:
    """Detect on every picture; draw it, and collect plain records."""
    from rich.console import Console

    from detcore.apis.detector import Detector
    from detcore.apis.pictures import expand_pictures
    from detcore.apis.predictions import file_names

    paths = [str(path) for path in expand_pictures(args.images)]
    detector = Detector(args.checkpoint, args.config, device=args.device)
    out, records = Path(args.out), []
    out.mkdir(parents=True, exist_ok=True)
    console = Console(soft_wrap=True)
    found = detector.stream(paths, score_thr=args.score_thr, batch_size=args.batch_size)
    for prediction, name in zip(found, file_names(paths), strict=True):
        target = prediction.save(out / name)
        if args.save_txt:
            lines = prediction.to_yolo(with_scores=True)
            text = "".join(f"{line}\n" for line in lines)
            target.with_suffix(".txt").write_text(text, encoding="utf-8")
        records.append({"image": prediction.source, "detections": prediction.to_records()})
        line = f"{prediction.source}: {prediction} -> {target}"
        console.print(line, highlight=False, markup=False)
    (out / "predictions.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The verb as a module of its own."""
    from detcore.cli.entry import main_of

    return main_of("detcore predict", DESCRIPTION, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
