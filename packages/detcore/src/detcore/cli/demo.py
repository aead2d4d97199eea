"""`detcore demo`: draw a data set, train a small Mask R-CNN on it, evaluate, show."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

DESCRIPTION = "See the whole path in a few minutes, with nothing to download. Example: detcore demo"
CONFIG = "mask_rcnn_r18_fpn_shapes"
PICTURES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to work, and how much."""
    add = parser.add_argument
    add("--out", default="demo", help="folder for scenes, logs, checkpoints and pictures")
    add("--epochs", type=int, help="fewer epochs, for a quick look; the result is worse then")
    add("--train-scenes", type=int, default=300, help="scenes to train on")
    add("--val-scenes", type=int, default=60, help="scenes to evaluate on")
    add("--seed", type=int, default=0, help="random seed of the scenes and of the training")


def run(args: argparse.Namespace) -> int:
    """Draw, train with evaluation, and put the first held-out scenes into pictures."""
    from detcore.apis.config_files import find_config, read_config
    from detcore.apis.train.run import RunOptions, run_training
    from detcore.datasets.synthetic import draw_scenes

    started = time.perf_counter()
    out = Path(args.out)
    scenes = out / "shapes"
    say(f"drawing {args.train_scenes + args.val_scenes} scenes in {scenes}")
    draw_scenes(scenes, args.train_scenes, args.val_scenes, seed=args.seed, size=(256, 192))

    overrides: dict[str, Any] = {"data_root": f"{scenes.as_posix()}/"}
    if args.epochs:
        overrides |= {"runner.max_epochs": args.epochs, "evaluation.interval": args.epochs}
    cfg = read_config(CONFIG, overrides)
    cfg["work_dir"] = str(out / "run")
    run_training(cfg, RunOptions(seed=args.seed))

    pictures = out / "pictures"
    draw_predictions(out / "run" / "latest.pth", scenes, pictures)
    report(last_evaluation(out / "run"), find_config(CONFIG), out, time.perf_counter() - started)
    return 0


def draw_predictions(checkpoint: Path, scenes: Path, pictures: Path) -> None:
    """Detections on the first held-out scenes, from nothing but the checkpoint."""
    from cvcore.image import imread
    from detcore.apis.inference.infer import inference_detector, init_detector
    from detcore.visualization import draw_to_file

    model = init_detector(None, checkpoint)
    for path in sorted((scenes / "images").glob("val_*.jpg"))[:PICTURES]:
        image = imread(path)
        result = inference_detector(model, image)
        draw_to_file(image, result, model.CLASSES, pictures / path.name, score_thr=0.5)


def last_evaluation(work_dir: Path) -> dict[str, Any]:
    """The newest scores in the run's ``metrics.jsonl``."""
    lines = (work_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return next(record for record in reversed(records) if record["mode"] == "val")


def report(scores: dict[str, Any], config: Path, out: Path, seconds: float) -> None:
    """What came out, and what to run next."""
    say("\non held-out scenes:")
    for name, kind in (("boxes", "bbox"), ("masks", "segm")):
        say(f"  {name}  mAP {scores[f'{kind}_mAP']:.3f}  mAP50 {scores[f'{kind}_mAP_50']:.3f}")
    say(f"{seconds / 60:.1f} minutes; pictures in {out / 'pictures'}, log in {out / 'run'}")
    say("\nnext, with photographs and COCO annotations of your own:")
    say(f"  cp {config} my_config.py      # set classes, num_classes and the paths")
    say("  detcore-train my_config.py --work-dir runs/mine")
    say("  detcore predict runs/mine/latest.pth PHOTO.jpg")


def say(line: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
