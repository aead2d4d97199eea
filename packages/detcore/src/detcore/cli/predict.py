"""`detcore predict`: a checkpoint and photographs, films or a camera to pictures and records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detcore.cli.entry import EXIT_BAD_INPUT, print_error

if TYPE_CHECKING:
    from detcore.apis.inference.detector import Detector

DESCRIPTION = "Detect objects. Example: detcore predict latest.pth photo.jpg --out pictures/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A checkpoint, inputs, and where the pictures go."""
    add = parser.add_argument
    add("checkpoint", help="a checkpoint of detcore-train, which needs no config beside it")
    add("images", nargs="*", help="photographs, films, folders, globs or http(s) addresses")
    add("--webcam", metavar="N", help="a camera, by number or name, until Ctrl-C or --frames")
    add("--frames", type=int, help="of a film or camera, take this many at most")
    add("--config", help="for a checkpoint that holds no config of its own")
    add(
        "--out", default="predictions", help="folder for pictures and records, or a film's own name"
    )
    add("--score-thr", type=float, default=0.3, help="leave out detections below this score")
    add("--batch-size", type=int, default=1, help="pictures that go through the network together")
    add("--save-txt", action="store_true", help="also write YOLO label files beside the pictures")
    add("--device", help="such as cpu or cuda:0")


def run(args: argparse.Namespace) -> int:
    """Detect on everything that is given; draw it, and collect plain records."""
    from detcore.apis.inference.detector import Detector
    from detcore.apis.inference.pictures import expand_pictures
    from detcore.apis.inference.video import is_film
    from detcore.cli.films import run_camera, run_films
    from detcore.errors import OptionError

    if bool(args.images) == (args.webcam is not None):
        raise OptionError("give photographs or films to look at, or --webcam N")
    films = [name for name in args.images if is_film(name)]
    photographs = [name for name in args.images if not is_film(name)]
    if is_film(args.out) and (photographs or len(films) > 1):
        raise OptionError(f"--out {args.out}: more than one film needs a folder to go to")
    paths = [str(path) for path in expand_pictures(photographs)]
    detector = Detector(args.checkpoint, args.config, device=args.device)
    if args.webcam is not None:
        return run_camera(detector, args)
    code = _run_pictures(detector, paths, args) if paths else 0
    return run_films(detector, films, args) or code


def _run_pictures(detector: Detector, paths: list[str], args: argparse.Namespace) -> int:
    """Go through all of them; one that cannot be read is named, and the others are looked at."""
    from rich.console import Console

    from detcore.apis.inference.predictions import file_names

    out, records = Path(args.out), []
    out.mkdir(parents=True, exist_ok=True)
    console = Console(soft_wrap=True)
    bad: list[object] = []

    def pass_over(picture: object, error: Exception) -> None:
        bad.append(picture)
        print_error(error)

    names = zip(paths, file_names(paths), strict=True)
    for prediction in detector.stream(
        paths, score_thr=args.score_thr, batch_size=args.batch_size, on_bad=pass_over
    ):
        name = next(name for path, name in names if path == prediction.source)
        target = prediction.save(out / name)
        if args.save_txt:
            lines = prediction.to_yolo(with_scores=True)
            text = "".join(f"{line}\n" for line in lines)
            target.with_suffix(".txt").write_text(text, encoding="utf-8")
        records.append({"image": prediction.source, "detections": prediction.to_records()})
        line = f"{prediction.source}: {prediction} -> {target}"
        console.print(line, highlight=False, markup=False)
    listing = out / "predictions.json"
    listing.write_text(json.dumps(records, indent=1), encoding="utf-8")
    console.print(f"boxes, labels and scores: {listing}", highlight=False, markup=False)
    if bad:
        sys.stderr.write(f"{len(bad)} of {len(paths)} pictures could not be read\n")
    return EXIT_BAD_INPUT if bad else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The verb as a module of its own."""
    from detcore.cli.entry import main_of

    return main_of("detcore predict", DESCRIPTION, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
