"""`detcore benchmark`: images a second of a model."""

from __future__ import annotations

import argparse

from cvcore import DictAction
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Measure the images a second of a model, from the batch to its detections. "
    "Example: detcore benchmark faster_rcnn_r50_fpn_1x_coco --shape 480 640 --repeats 10"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, what it is fed, and how often."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("checkpoint", nargs="?", help="weights; random ones by default, which find other objects")
    add("--shape", type=int, nargs=2, default=[800, 1280], metavar=("H", "W"), help="in pixels")
    add("--batch-size", type=int, default=1, help="images that go through together")
    add("--repeats", type=int, default=10, help="batches to time")
    add("--warm-up", type=int, default=2, help="batches before them")
    add("--fuse-conv-bn", action="store_true", help="fold batch norms into convolutions first")
    add("--device", help="such as cpu or cuda:0")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Time the batches; print the median and its spread."""
    from rich.console import Console

    from cvcore.cnn import fuse_conv_bn
    from detcore.apis.config_files import read_config
    from detcore.apis.inference.infer import init_detector
    from detcore.apis.measure.speed import time_inference

    if min(args.batch_size, args.repeats, *args.shape) < 1 or args.warm_up < 0:
        raise DetcoreError("sizes, --batch-size and --repeats are numbers from 1 on")
    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    model = init_detector(cfg, args.checkpoint, device=args.device)
    if args.fuse_conv_bn:
        model = fuse_conv_bn(model)
    height, width = args.shape
    times = time_inference(model, height, width, args.batch_size, args.repeats, args.warm_up)
    console = Console(highlight=False)
    console.print(
        f"{cfg['model']['type']}, {args.batch_size} x {height} x {width} pixels, {times.device}, "
        f"{times.threads} threads, {args.repeats} batches"
    )
    console.print(
        f"{args.batch_size / times.median:.2f} images/s; a batch takes {times.median * 1e3:.1f} ms "
        f"(median; {times.lowest * 1e3:.1f} to {times.highest * 1e3:.1f})"
    )
    return 0
