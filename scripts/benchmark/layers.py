"""Rows of each layer: what is run, and which of its numbers are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.benchmark.inputs import SHAPES, Inputs, ModelFiles
from scripts.benchmark.large_file import CLASSES
from scripts.benchmark.probes.extras import FAST
from scripts.benchmark.rows import BASE, OURS, Check, Figure, Row

OPERATORS = ("roi_align", "nms", "deform_conv", "assign", "assign-1000", "paste")
PIPELINE_CONFIG = "mask_rcnn_r50_fpn_1x_coco"
# torchvision ships these with ResNet-50 and FPN; see probes/torchvision_model.py.
IN_TORCHVISION = {"FasterRCNN", "MaskRCNN", "RetinaNet", "FCOS"}


def training_step(
    name: str,
    model: ModelFiles,
    size: tuple[int, int],
    *,
    batch: int = 2,
    boxes: int = 8,
    steps: int = 3,
    bf16: bool = False,
    compiled: bool = False,
    target: float | None = None,
    memory_target: float | None = None,
    torchvision: bool = True,
) -> Row:
    """One training step of a detector; losses are compared before."""
    arguments = _of_model(model, size, batch) | {"boxes": boxes}
    switches = {key: True for key, on in (("bf16", bf16), ("compiled", compiled)) if on}
    figures = [Figure("seconds", "s", "step", target)]
    if not bf16:
        figures.append(Figure("peak_mib", "MiB", "peak memory", memory_target))
    return Row(
        name,
        "model",
        {**arguments, "method": "train", "steps": steps},
        tuple(figures),
        of_side={OURS: switches, "base": switches, "torchvision": {"detector": model.detector}},
        check=Check("model", {**arguments, "method": "losses"}),
        torchvision=torchvision and model.detector in IN_TORCHVISION and not switches,
    )


def inference(
    name: str,
    model: ModelFiles,
    size: tuple[int, int],
    *,
    batch: int = 1,
    steps: int = 5,
    compiled: bool = False,
    target: float | None = None,
) -> Row:
    """Pixels to detections; losses are compared before, number and scores in every pair."""
    switches = {"compiled": True} if compiled else {}
    return Row(
        name,
        "model",
        {**_of_model(model, size, batch), "method": "infer", "steps": steps},
        (Figure("seconds", "s", "image" if batch == 1 else "batch", target),),
        of_side={OURS: switches, "base": switches, "torchvision": {"detector": model.detector}},
        check=Check("model", {**_of_model(model, size, batch), "method": "losses"}),
        torchvision=model.detector in IN_TORCHVISION and not compiled,
    )


def _of_model(model: ModelFiles, size: tuple[int, int], batch: int) -> dict[str, Any]:
    files = {"config": model.config, "checkpoint": model.checkpoint}
    return {**files, "size": list(size), "batch": batch}


def operators(names: tuple[str, ...] = OPERATORS) -> Iterator[Row]:
    """Each operator alone; the assigner with its memory."""
    titles = {
        "roi_align": "RoIAlign, 512 regions, forward and backward",
        "nms": "NMS, 10,000 boxes of 80 classes",
        "deform_conv": "modulated deformable convolution, forward and backward",
        # MMDetection holds several values for every pair: more than 16 GiB of them.
        "assign": "3,000 boxes to 200,000 anchors",
        "assign-1000": "1,000 boxes to 200,000 anchors",
        "paste": "100 masks into 800 x 1088",
    }
    for name in names:
        figures: tuple[Figure, ...] = (Figure("seconds", "s"),)
        operator, _, boxes = name.partition("-")
        if operator == "assign":
            figures = (
                Figure("seconds", "s", "time", 0.3),
                Figure("peak_mib", "MiB", "peak memory", 0.2),
            )
        repeats = {"assign": 2}.get(operator, 5)
        number = {"boxes": int(boxes)} if boxes else {}
        yield Row(
            titles[name],
            "operators",
            {"operator": operator, "repeats": repeats, **number},
            figures,
            torchvision=operator != "assign",
        )


def pipeline(
    inputs: Inputs, ann_file: str | None, img_prefix: str | None, extras: bool | None = None
) -> Row:
    """Images a second through the training transforms, on drawn scenes by default.

    Args:
        inputs: Makes the files.
        ann_file: Photographs.
        img_prefix: Their folder.
        extras: Ours has the extra `fast`, or what it installs is hidden; None takes what is there.
    """
    if ann_file is None or img_prefix is None:
        drawn = inputs.photographs(40, (640, 480))
        config = inputs.pipeline(PIPELINE_CONFIG, drawn["ann_file"], drawn["img_prefix"], SHAPES)
    else:
        config = inputs.pipeline(PIPELINE_CONFIG, ann_file, img_prefix, names_in(Path(ann_file)))
    return Row(
        _named("training pipeline of a Mask R-CNN", extras),
        "pipeline",
        {"config": config},
        (Figure("images_a_second", "images/s", "", 2.5, at_least=True),),
        of_side=_hidden(extras),
    )


def _named(work: str, extras: bool | None) -> str:
    return {None: work, True: f"{work}, with the extra fast", False: f"{work}, no extras"}[extras]


def _hidden(extras: bool | None) -> dict[str, dict[str, Any]]:
    """Further arguments of our sides: the libraries that their probes cannot import."""
    if extras is not False:
        return {}
    return {side: {"hidden": FAST} for side in (OURS, BASE)}


def large_file(inputs: Inputs, number: int = 1_000_000, extras: bool | None = None) -> Row:
    """A large COCO file as a training dataset, and in four workers; `extras` as of `pipeline`."""
    return Row(
        f"{_named(f'a COCO file of {number:,} annotations', extras)},",
        "annotations",
        {"ann_file": inputs.large_file(number), "classes": CLASSES},
        (
            Figure("seconds", "s", "building the dataset", 0.5),
            Figure("megabytes", "MB", "memory with four workers", 0.3),
        ),
        of_side=_hidden(extras),
        most_pairs=3,
    )


def names_in(ann_file: Path) -> list[str]:
    """The category names of a COCO file."""
    import json

    return [each["name"] for each in json.loads(ann_file.read_text("utf-8"))["categories"]]


def evaluation(inputs: Inputs, images: int = 5000, detections: int = 100) -> Row:
    """COCO's figures with each library that counts; the others have pycocotools."""
    ann_file = inputs.truth(images)
    fast = ("hotcoco", "faster_coco_eval")
    return Row(
        f"COCO evaluation, {images:,} images, {images * detections:,} detections",
        "evaluation",
        {"ann_file": ann_file, "images": images, "detections": detections},
        (
            *(Figure(name, "s", f", with {name}", t, other_key="seconds")
              for name, t in zip(fast, (0.05, None), strict=True)),
            Figure("seconds", "s", ", without an extra", 0.8),
        ),
        tolerance=1.1e-4,  # of an mAP that is given in four decimals
        absolute=True,
    )  # fmt: skip


def start_up(inputs: Inputs) -> Row:
    """Start of the process to the end of the first iteration, ours without extras."""
    return Row(
        "start of the training command to its first iteration",
        "training",
        {"config": inputs.small_training()},
        (Figure("seconds", "s", "", 0.5),),
    )


def configs(folder: Path) -> Row:
    """Reading every config of a folder."""
    return Row(
        "reading all configs of a folder",
        "configs",
        {"folder": str(folder.resolve())},
        (Figure("seconds", "s", "", 0.2),),
    )


def whole_training(inputs: Inputs, data_root: Path) -> Row:
    """The recipe for blood cells, twelve epochs with evaluations, ours without extras."""
    return Row(
        "whole training on blood cells",
        "training",
        {"config": inputs.whole_training(data_root), "to_the_end": True},
        (Figure("seconds", "s", "", 0.6),),
        tolerance=0.01,
        absolute=True,
        most_pairs=1,
    )
