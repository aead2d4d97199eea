"""`detcore benchmark`: how fast a model detects, trains and is fed, and what memory it takes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore import DictAction
from detcore.errors import DetcoreError

if TYPE_CHECKING:
    from torch import nn

    from cvcore import Config
    from detcore.apis.measure.speed import BatchTimes

DESCRIPTION = (
    "Measure the images a second of a model, from the batch to its detections, in training, and "
    "of its training data. "
    "Example: detcore benchmark faster_rcnn_r50_fpn_1x_coco --shape 480 640 --repeats 10"
)
PARTS = ("inference", "training", "data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, what it is fed, and how often."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("checkpoint", nargs="?", help="weights; random ones by default, which find other objects")
    said = f"what to measure: {', '.join(PARTS)}"
    add("--parts", nargs="+", choices=PARTS, default=["inference"], metavar="PART", help=said)
    add("--shape", type=int, nargs=2, default=[800, 1280], metavar=("H", "W"), help="in pixels")
    add("--batch-size", type=int, default=1, help="images that go through together")
    add("--boxes", type=int, default=8, help="objects in each image to train on")
    add("--repeats", type=int, default=10, help="batches to time; ten times as many images of data")
    add("--warm-up", type=int, default=2, help="batches before them")
    add("--fuse-conv-bn", action="store_true", help="fold batch norms into convolutions first")
    add("--bf16", action="store_true", help="train with the forward pass in bfloat16")
    add("--compile", action="store_true", help="compile backbone and neck with torch.compile")
    add("--device", help="such as cpu or cuda:0")
    add("--out", metavar="FILE", help="also write the figures as JSON")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Time the parts that are asked for; print the median and its spread."""
    from rich.console import Console

    from detcore.apis.config_files import read_config

    if min(args.batch_size, args.repeats, args.boxes, *args.shape) < 1 or args.warm_up < 0:
        raise DetcoreError("sizes, --batch-size, --boxes and --repeats are numbers from 1 on")
    console = Console(highlight=False)
    figures: dict[str, Any] = {}
    for part in dict.fromkeys(args.parts):
        # Each part changes the config that it is given.
        cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
        measure = {"inference": _inference, "training": _training, "data": _data}[part]
        figures[part], lines = measure(args, cfg)
        for line in lines:
            console.print(line)
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def _inference(args: argparse.Namespace, cfg: Config) -> tuple[dict[str, Any], list[str]]:
    from cvcore.cnn import fuse_conv_bn
    from detcore.apis.inference.infer import init_detector
    from detcore.apis.measure.speed import time_inference

    model = init_detector(cfg, args.checkpoint, device=args.device)
    if args.fuse_conv_bn:
        model = fuse_conv_bn(model)
    _compile(model, args.compile)
    times = time_inference(model, *args.shape, args.batch_size, args.repeats, args.warm_up)
    return _summary(args, cfg, times, "batches", "a batch takes")


def _training(args: argparse.Namespace, cfg: Config) -> tuple[dict[str, Any], list[str]]:
    import torch

    from cvcore.allocator import keep_freed_memory
    from cvcore.runner import load_checkpoint
    from detcore.apis.device import choose_device
    from detcore.apis.measure.training import peak_memory, time_training
    from detcore.models import build_detector

    keep_freed_memory()  # as a training does
    cfg["model"].get("backbone", {})["init_cfg"] = None  # weights do not change the time
    model = build_detector(cfg["model"], cfg.get("train_cfg"), cfg.get("test_cfg"))
    if args.checkpoint:
        load_checkpoint(model, args.checkpoint, map_location="cpu")
    else:
        model.init_weights()
    model = model.to(choose_device(args.device))
    _compile(model, args.compile)
    height, width = args.shape
    times = time_training(
        model,
        height,
        width,
        batch_size=args.batch_size,
        repeats=args.repeats,
        warm_up=args.warm_up,
        boxes=args.boxes,
        bf16=args.bf16,
    )
    figures, lines = _summary(args, cfg, times, "training steps", "a step takes")
    figures["peak_bytes"] = peak_memory(torch.device(times.device))
    lines.append(f"at most {figures['peak_bytes'] / 2**30:.2f} GiB of memory")
    return figures, lines


def _data(args: argparse.Namespace, cfg: Config) -> tuple[dict[str, Any], list[str]]:
    from detcore.apis.classes import settle_classes
    from detcore.apis.measure.training import images_a_second

    settle_classes(cfg)
    rate = images_a_second(cfg, 10 * args.repeats)
    line = f"training data: {rate:.2f} images/s from one process"
    return {"images_a_second": rate}, [line]


def _compile(model: nn.Module, wanted: bool) -> None:
    """What has fixed shapes; heads have as many regions as they find."""
    for name in ("backbone", "neck") if wanted else ():
        part = getattr(model, name, None)
        if part is not None:
            part.compile()


def _summary(
    args: argparse.Namespace, cfg: Config, times: BatchTimes, what: str, takes: str
) -> tuple[dict[str, Any], list[str]]:
    height, width = args.shape
    figures = {
        "model": cfg["model"]["type"],
        "shape": [height, width],
        "batch_size": args.batch_size,
        "device": times.device,
        "threads": times.threads,
        "seconds": times.seconds,
        "images_a_second": args.batch_size / times.median,
    }
    lines = [
        f"{cfg['model']['type']}, {args.batch_size} x {height} x {width} pixels, {times.device}, "
        f"{times.threads} threads, {args.repeats} {what}",
        f"{args.batch_size / times.median:.2f} images/s; {takes} {times.median * 1e3:.1f} ms "
        f"(median; {times.lowest * 1e3:.1f} to {times.highest * 1e3:.1f})",
    ]
    return figures, lines
