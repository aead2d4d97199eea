"""The rows that the project aims at: ours against MMDetection 2.28, each with its target."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from scripts.benchmark import layers
from scripts.benchmark.inputs import Inputs
from scripts.benchmark.rows import Row

R50 = (384, 512)
STEPS: tuple[tuple[str, str, tuple[int, int], float], ...] = (
    ("faster-r50", "faster_rcnn_r50_fpn_1x_coco", R50, 0.70),
    ("faster-r18", "faster_rcnn_r50_fpn_1x_coco", (320, 320), 0.60),
    ("mask-r50", "mask_rcnn_r50_fpn_1x_coco", R50, 0.70),
    ("retina-r50", "retinanet_r50_fpn_1x_coco", R50, 0.80),
)
TITLES = {
    "faster-r50": "Faster R-CNN R50-FPN",
    "faster-r18": "Faster R-CNN R18-FPN",
    "mask-r50": "Mask R-CNN R50-FPN",
    "retina-r50": "RetinaNet R50-FPN",
}
R18 = {"model__backbone__depth": 18, "model__neck__in_channels": [64, 128, 256, 512]}


def rows(
    inputs: Inputs,
    *,
    configs: Path | None,
    bccd: Path | None,
    ann_file: str | None,
    img_prefix: str | None,
    steps: int,
) -> dict[str, Callable[[], Row]]:
    """Makers of all rows by short names, the quickest to measure last but for the whole training.

    Args:
        inputs: Makes the files.
        configs: The folder of the reference's configs; without it that row is left out.
        bccd: The folder of the blood cells; as ``configs``.
        ann_file: Photographs for the training pipeline; drawn scenes without.
        img_prefix: Their folder.
        steps: Training steps to time in a process.
    """
    found: dict[str, Callable[[], Row]] = {}
    for key, config, size, target in STEPS:
        found[f"train-{key}"] = partial(_step, inputs, key, config, size, steps, target, False)
    for key in ("faster-r50", "mask-r50"):
        found[f"infer-{key}"] = partial(_inference, inputs, key)
    for key, config, size, _ in STEPS:
        found[f"bf16-{key}"] = partial(_step, inputs, key, config, size, steps, 0.45, True)
    for operator in layers.OPERATORS:
        found[operator] = partial(_operator, operator)
    found["start-up"] = partial(layers.start_up, inputs)
    if configs is not None:
        found["configs"] = partial(layers.configs, configs)
    for end, extras in (("", False), ("-fast", True)):
        found[f"pipeline{end}"] = partial(layers.pipeline, inputs, ann_file, img_prefix, extras)
        found[f"annotations{end}"] = partial(layers.large_file, inputs, extras=extras)
    found["evaluation"] = partial(layers.evaluation, inputs)
    if bccd is not None:
        found["whole-training"] = partial(layers.whole_training, inputs, bccd)
    return found


def _step(
    inputs: Inputs,
    key: str,
    config: str,
    size: tuple[int, int],
    steps: int,
    target: float,
    bf16: bool,
) -> Row:
    small = key.endswith("r18")
    model = inputs.model(config, **(R18 if small else {}))
    name = f"{TITLES[key]}, {size[0]} x {size[1]}, batch 2, training"
    return layers.training_step(
        f"{name} in bf16" if bf16 else name,
        model,
        size,
        steps=steps,
        bf16=bf16,
        target=target,
        memory_target=None if bf16 else 0.85,
        torchvision=not small,
    )


def _inference(inputs: Inputs, key: str) -> Row:
    config = next(config for short, config, _, _ in STEPS if short == key)
    name = f"{TITLES[key]}, 480 x 640, batch 1, inference"
    return layers.inference(name, inputs.model(config), (480, 640), target=0.60)


def _operator(operator: str) -> Row:
    return next(layers.operators((operator,)))
