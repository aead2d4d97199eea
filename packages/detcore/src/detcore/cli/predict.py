"""`detcore predict`: a checkpoint and photographs to pictures and records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detcore.errors import DetcoreError

DESCRIPTION = "Detect objects. Example: detcore predict latest.pth photo.jpg --out pictures/"
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A checkpoint, inputs, and where the pictures go."""
    add = parser.add_argument
    add("checkpoint", help="a checkpoint of detcore-train, which needs no config beside it")
    add("images", nargs="+", help="photographs, or folders of them")
    add("--config", help="for a checkpoint that holds no config of its own")
    add("--out", default="predictions", help="folder for pictures and predictions.json")
    add("--score-thr", type=float, default=0.3, help="leave out detections below this score")
    add("--device", help="such as cpu or cuda:0")


def run(args: argparse.Namespace) -> int:
    """Detect on every picture; draw it, and collect plain records."""
    from rich.console import Console

    from cvcore.image import imread
    from detcore.apis.infer import inference_detector, init_detector
    from detcore.visualization import draw_to_file

    paths = list(pictures(args.images))
    model = init_detector(args.config, args.checkpoint, device=args.device)
    out, records = Path(args.out), []
    out.mkdir(parents=True, exist_ok=True)
    console = Console(soft_wrap=True)
    for path, target in zip(paths, targets(paths, out), strict=True):
        image = imread(path)
        result = inference_detector(model, image)
        draw_to_file(image, result, model.CLASSES, target, score_thr=args.score_thr)
        found = as_records(result, model.CLASSES, args.score_thr)
        records.append({"image": str(path), "detections": found})
        console.print(f"{path}: {summary(found)} -> {target}", highlight=False, markup=False)
    (out / "predictions.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
    return 0


def pictures(inputs: Sequence[str]) -> Iterator[Path]:
    """Files as given; the pictures of a folder in order of their names.

    Raises:
        DetcoreError: An input does not exist, or a folder holds no picture.
    """
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            if not path.exists():
                raise DetcoreError(f"{path}: no such file or folder")
            yield path
            continue
        inside = sorted(item for item in path.iterdir() if item.suffix.lower() in PICTURES)
        if not inside:
            raise DetcoreError(
                f"{path}: no pictures in this folder ({', '.join(sorted(PICTURES))})"
            )
        yield from inside


def targets(paths: Sequence[Path], out: Path) -> list[Path]:
    """One PNG-or-JPEG per picture; equal names of different folders get a number."""
    taken: dict[str, int] = {}
    named = []
    for path in paths:
        count = taken[path.stem] = taken.get(path.stem, 0) + 1
        suffix = path.suffix.lower() if path.suffix.lower() in {".jpg", ".jpeg", ".png"} else ".png"
        named.append(out / f"{path.stem}{'' if count == 1 else f'_{count}'}{suffix}")
    return named


def as_records(result: Any, names: Sequence[str], score_thr: float) -> list[dict[str, Any]]:
    """Detections above the threshold as plain data, the surest first."""
    per_class = result[0] if isinstance(result, tuple) else result
    found = [
        {
            "label": names[label] if label < len(names) else str(label),
            "score": round(float(row[4]), 4),
            "box": [round(float(value), 2) for value in row[:4]],
        }
        for label, rows in enumerate(per_class)
        for row in rows
        if row[4] >= score_thr
    ]
    return sorted(found, key=lambda record: -float(record["score"]))


def summary(found: Sequence[dict[str, Any]]) -> str:
    """Such as ``3 RBC, 1 WBC``."""
    counts: dict[str, int] = {}
    for record in found:
        counts[record["label"]] = counts.get(record["label"], 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"


def main(argv: Sequence[str] | None = None) -> int:
    """The verb as a module of its own."""
    from detcore.cli.entry import main_of

    return main_of("detcore predict", DESCRIPTION, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
