"""How long each transform of a training pipeline takes, image by image.

    python scripts/benchmark/data.py --ann-file instances.json --img-prefix images/

`python -m scripts.benchmark data` measures the whole pipeline beside that of MMDetection.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CONFIG = "mask_rcnn_r50_fpn_1x_coco"


def measure_pipeline(args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds an image of each training transform: the least of several passes."""
    from cvcore.dist.seed import sample_randomness
    from detcore.apis.config_files import read_config
    from detcore.datasets import build_dataset

    overrides = {
        "data.train.ann_file": args.ann_file,
        "data.train.img_prefix": args.img_prefix,
        "data.train.data_root": None,
    }
    dataset = build_dataset(read_config(args.config, overrides).data.train)
    number = min(args.images or len(dataset), len(dataset))
    least: dict[tuple[str, int], float] = defaultdict(lambda: float("inf"))
    for _ in range(args.passes):
        for index in range(number):
            with sample_randomness(0, 0, index):
                begin = time.process_time()
                assert dataset.prepare_train_img(index) is not None
                key = ("whole", index)
                least[key] = min(least[key], time.process_time() - begin)
            with sample_randomness(0, 0, index):
                for name, seconds in _steps(dataset, index):
                    least[name, index] = min(least[name, index], seconds)
    milliseconds: dict[str, float] = defaultdict(float)
    for (name, _), seconds in least.items():
        milliseconds[name] += 1000 * seconds / number
    return {
        "images": number,
        "images a second": 1000 / milliseconds["whole"],
        "milliseconds an image": dict(milliseconds),
    }


def _steps(dataset: Any, index: int) -> list[tuple[str, float]]:
    """Name and processor seconds of each transform for one image."""
    from detcore.datasets.transforms.normalize_pad import fused

    begin = time.process_time()
    results: Any = {"img_info": dataset.data_infos[index], "ann_info": dataset.get_ann_info(index)}
    dataset.pre_pipeline(results)
    steps = [("annotations", time.process_time() - begin)]
    for transform in fused(dataset.pipeline.transforms):
        begin = time.process_time()
        results = transform(results)
        steps.append((type(transform).__name__.strip("_"), time.process_time() - begin))
    return steps


def show(figures: dict[str, Any]) -> None:
    """A table of all numbers."""
    table = Table("figure", "value")
    for name, value in figures.items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in rows:
            shown = f"{number:.3f}" if isinstance(number, float) else str(number)
            table.add_row(f"{name} {part}".strip(), shown)
    Console().print(table)


def main() -> None:
    """Measure what the command line asks for, show it, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=CONFIG, help="whose data.train.pipeline is measured")
    parser.add_argument("--ann-file", required=True, help="COCO annotations of photographs")
    parser.add_argument("--img-prefix", required=True, help="folder of the photographs")
    parser.add_argument("--images", type=int, help="measure so many; all by default")
    parser.add_argument("--passes", type=int, default=3, help="how often each is measured")
    parser.add_argument("--out", help="JSON file for the figures")
    args = parser.parse_args()
    figures = measure_pipeline(args)
    show(figures)
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
