"""Build every model of a folder of configs and hold its state-dict keys and shapes to stored ones.

Models are built on the meta device: no weights are made or fetched. With ``--run`` each is also
built on the CPU with seeded weights, trained for a step and tested on seeded images.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cvcore.config import Config
from cvcore.errors import CvcoreError
from detcore.models import build_detector

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
import parity
import seeded

Entries = Mapping[str, list[int]]


def without_weights(value: Any) -> Any:
    """A model's config that asks for no file of weights."""
    if isinstance(value, Mapping):
        kept = {key: without_weights(item) for key, item in value.items()}
        for key in ("pretrained", "teacher_ckpt"):
            if key in kept:
                kept[key] = None
        if isinstance(kept.get("init_cfg"), dict) and kept["init_cfg"].get("type") == "Pretrained":
            kept["init_cfg"] = None
        return kept
    if isinstance(value, list | tuple):
        return [without_weights(item) for item in value]
    return value


def differences(path: Path, expected: Entries) -> list[str]:
    """What keeps the model of a config from having the expected state dict."""
    try:
        recipe = without_weights(Config.fromfile(path).to_dict()["model"])
        with torch.device("meta"):
            model = build_detector(recipe)
    except CvcoreError as error:
        return [f"{type(error).__name__}: {error}"]
    return parity.compare_state_dict(model, expected)


def troubles_of_a_run(path: Path) -> list[str]:
    """What goes wrong when the model of a config trains and tests on seeded input."""
    recipe = without_weights(Config.fromfile(path).to_dict()["model"])
    model = parity.seeded_model(recipe).train()
    shape = (128, 160, 3)
    height, width = shape[:2]
    head = getattr(model, "roi_head", None) or getattr(model, "bbox_head", None)
    batch = parity.truths(2, height, width, 1 if head is None else head.num_classes)
    if head is None:
        del batch["gt_labels"]
    if not parity.needs_masks(recipe):
        del batch["gt_masks"]
    images = {
        "img": seeded.image(2, height, width),
        "img_metas": [parity.metas(shape, scale=1.0) for _ in range(2)],
    }
    proposals = {}
    if recipe["type"] == "FastRCNN":
        proposals["proposals"] = [seeded.boxes(20, height, width, str(i)) for i in range(2)]
    outputs = model.train_step({**images, **batch, **proposals}, None)
    outputs["loss"].backward()
    wrong = [f"{k} is {v}" for k, v in outputs["log_vars"].items() if not math.isfinite(v)]
    wrong += [
        f"a gradient of {name} is not finite"
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not parameter.grad.isfinite().all()
    ]
    views = {key: [value] for key, value in {**images, **proposals}.items()}
    with torch.no_grad():
        results = model.eval()(return_loss=False, rescale=True, **views)
    for result in results:
        boxes = result[0] if isinstance(result, tuple) else result
        rows = np.concatenate(boxes) if isinstance(boxes, list) else boxes
        if not np.isfinite(rows).all():
            wrong.append("detections that are not finite")
    return wrong


def chosen(zoo: Mapping[str, Any], listed: Path | None) -> Sequence[str]:
    """Names of the configs to build: those listed, or all that the reference itself builds."""
    if listed is not None:
        names: list[str] = json.loads(listed.read_text(encoding="utf-8"))
        return names
    return [name for name, entry in zoo["configs"].items() if "keys_sha256" in entry]


def main() -> int:
    """Build, compare and report; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that the names start from")
    parser.add_argument("zoo", type=Path, help="zoo.json.gz: configs and entries")
    parser.add_argument("--listed", type=Path, help="a JSON list of the configs to build")
    parser.add_argument("--only", nargs="+", default=[""], help="those whose name has one of these")
    parser.add_argument("--run", action="store_true", help="also train and test each for a step")
    args = parser.parse_args()

    with gzip.open(args.zoo, "rt", encoding="utf-8") as file:
        zoo = json.load(file)
    names = [name for name in chosen(zoo, args.listed) if any(part in name for part in args.only)]
    started = time.perf_counter()
    equal = 0
    for name in names:
        wrong = differences(args.folder / name, zoo["entries"][zoo["configs"][name]["keys_sha256"]])
        if args.run and not wrong:
            wrong = troubles_of_a_run(args.folder / name)
        equal += not wrong
        if wrong:
            sys.stdout.write(f"{name}: {len(wrong)} differ: {wrong[0]}\n")
    seconds = time.perf_counter() - started
    sys.stdout.write(
        f"{equal} of {len(names)} models have the stored keys and shapes"
        f"{' and run' if args.run else ''} ({seconds:.0f} s)\n"
    )
    return 0 if equal == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
