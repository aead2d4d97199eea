"""The part of `detcore predict` that looks at films and cameras."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console

from detcore.apis.inference.detector import Detector
from detcore.apis.inference.video import Film, is_film, open_camera, open_film, predict_film
from detcore.errors import DetcoreError


def run_films(detector: Detector, films: Sequence[str], args: argparse.Namespace) -> int:
    """Detect on each film; write it drawn on, and a record a frame beside it."""
    taken: Counter[str] = Counter()
    for name in films:
        stem = Path(name).stem
        taken[stem] += 1
        number = f"_{taken[stem]}" if taken[stem] > 1 else ""
        target = _target(args.out, f"{stem}{number}.mp4")
        if target.resolve() == Path(name).resolve():
            raise DetcoreError(f"{name}: the film cannot be written over itself; choose --out")
        with open_film(name) as film:
            _run(detector, film, name, target, args)
    return 0


def run_camera(detector: Detector, args: argparse.Namespace) -> int:
    """Detect on what a camera sees until Ctrl-C, which completes the film."""
    name = f"camera {args.webcam}"
    with open_camera(args.webcam) as film:
        _run(detector, film, name, _target(args.out, "camera.mp4"), args)
    return 0


def _target(out: str, name: str) -> Path:
    return Path(out) if is_film(out) else Path(out) / name


def _run(detector: Detector, film: Film, name: str, target: Path, args: argparse.Namespace) -> None:
    console, count = Console(soft_wrap=True, highlight=False, markup=False), 0
    found = predict_film(
        detector,
        film,
        target,
        score_thr=args.score_thr,
        batch_size=args.batch_size,
        limit=args.frames,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    length = film.length if args.frames is None else args.frames
    with closing(found), target.with_suffix(".jsonl").open("w", encoding="utf-8") as records:
        try:
            for count, (frame, prediction) in enumerate(found, 1):
                record = {
                    "frame": count - 1,
                    "time": round(float(frame.time), 4),
                    "detections": prediction.to_records(),
                }
                records.write(json.dumps(record) + "\n")
                if count == 1 or count % 50 == 0:
                    of = f" of {length}" if length else ""
                    console.print(f"{name}: frame {count}{of}: {prediction}")
        except KeyboardInterrupt:
            console.print("interrupted: completing the film")
    console.print(f"{name}: {count} frames -> {target}")
