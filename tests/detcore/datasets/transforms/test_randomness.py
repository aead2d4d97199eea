"""Every registered transform, and what it draws: from the sample's own generator alone."""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.processes import PATIENCE

from cvcore.dist.seed import sample_randomness
from detcore.registries import PIPELINES
from detcore.structures import BitmapMasks, PolygonMasks

Recipe = dict[str, Any]
# Arguments under which each of them draws something that is seen in the sample.
RANDOM: dict[str, Recipe] = {
    "AutoAugment": {
        "policies": [
            [{"type": "Translate", "level": 6, "prob": 1.0}],
            [{"type": "BrightnessTransform", "level": 9, "prob": 1.0}],
            [{"type": "Rotate", "level": 5, "prob": 1.0}],
        ]
    },
    "BrightnessTransform": {"level": 9, "prob": 0.5},
    "ColorTransform": {"level": 9, "prob": 0.5},
    "ContrastTransform": {"level": 9, "prob": 0.5},
    "EqualizeTransform": {"prob": 0.5},
    "CopyPaste": {},
    "CutOut": {"n_holes": (1, 4), "cutout_shape": (5, 5)},
    "Expand": {"prob": 1.0},
    "MinIoURandomCrop": {},
    "MixUp": {"img_scale": (40, 60)},
    "Mosaic": {"img_scale": (40, 60)},
    "PhotoMetricDistortion": {},
    "RandomAffine": {},
    "RandomCenterCropPad": {
        "crop_size": (40, 40), "mean": [1, 2, 3], "std": [1, 1, 1], "to_rgb": False,
        "ratios": (0.8, 1.0), "test_pad_mode": None,
    },
    "RandomCrop": {"crop_size": (30, 40)},
    "RandomFlip": {"flip_ratio": 0.5},
    "RandomShift": {"shift_ratio": 1.0, "max_shift_px": 20},
    "Resize": {"img_scale": [(60, 40), (120, 90)], "multiscale_mode": "range"},
    "Rotate": {"level": 5, "prob": 1.0},
    "Shear": {"level": 5, "prob": 1.0},
    "Translate": {"level": 5, "prob": 1.0, "max_translate_offset": 30},
    "YOLOXHSVRandomAug": {},
}  # fmt: skip
MIXING = ("CopyPaste", "MixUp", "Mosaic")
# Transforms of optional packages; test_external.py holds the first to the same.
EXTERNAL = ("Albu", "Corrupt", "InstaBoost")
PLAIN = (
    "Collect",
    "Compose",
    "DefaultFormatBundle",
    "FilterAnnotations",
    "ImageToTensor",
    "LoadAnnotations",
    "LoadImageFromFile",
    "LoadImageFromWebcam",
    "LoadMultiChannelImageFromFiles",
    "LoadPanopticAnnotations",
    "LoadProposals",
    "MultiScaleFlipAug",
    "Normalize",
    "Pad",
    "SegRescale",
    "ToDataContainer",
    "ToTensor",
    "Transpose",
    "WrapFieldsToLists",
)
EPOCHS = 12


def sample(seed: int = 0) -> dict[str, Any]:
    """An image of 80 x 50 with four objects, always the same for a seed."""
    draw = np.random.default_rng(seed)
    image = draw.integers(20, 230, (50, 80, 3), dtype=np.uint8)
    corners = np.array([[4, 4], [50, 6], [10, 28], [44, 26]], dtype=np.float32)
    boxes = np.concatenate([corners, corners + draw.integers(10, 20, (4, 2))], 1)
    masks = np.zeros((4, 50, 80), dtype=np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return {
        "img": image, "img_fields": ["img"], "img_shape": image.shape, "ori_shape": image.shape,
        "filename": "a.png", "ori_filename": "a.png", "bbox_fields": ["gt_bboxes"],
        "mask_fields": ["gt_masks"], "seg_fields": [], "gt_bboxes": boxes.astype(np.float32),
        "gt_labels": np.arange(4), "gt_masks": BitmapMasks(masks, 50, 80),
    }  # fmt: skip


class Others:
    """The data set that mixing transforms choose from."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> dict[str, Any]:
        return sample(index + 1)

    def get_ann_info(self, index: int) -> dict[str, Any]:
        return {"bboxes": self[index]["gt_bboxes"]}


def made(name: str, epoch: int, index: int = 3, seed: int = 7) -> str:
    """A digest of what the transform makes of the sample under these three numbers."""
    arguments = dict(RANDOM[name])
    # Boxes and labels are all that these move.
    boxes_alone = name in ("MixUp", "Mosaic", "RandomAffine", "RandomCenterCropPad", "RandomShift")
    results = sample()
    if boxes_alone:
        results["mask_fields"] = []
        del results["gt_masks"]
    if name == "RandomCenterCropPad":
        results["img"] = results["img"].astype(np.float32)
    transform = PIPELINES.build({"type": name, **arguments})
    with sample_randomness(seed, epoch, index):
        if name in MIXING:
            chosen = transform.get_indexes(Others())
            indices = chosen if isinstance(chosen, list) else [chosen]
            results["mix_results"] = [Others()[i] for i in indices]
        outcome = transform(results)
    return "dropped" if outcome is None else digest(outcome)


def digest(results: dict[str, Any]) -> str:
    content = hashlib.sha256()
    for key in ("img", "gt_bboxes", "gt_labels", "gt_masks"):
        for part in arrays(results.get(key)):
            content.update(str(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return content.hexdigest()


def arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, BitmapMasks | PolygonMasks):
        yield value.to_ndarray()
    elif isinstance(value, torch.Tensor):
        yield value.numpy()
    elif value is not None:
        yield np.asarray(value)


def all_digests(global_seed: int) -> dict[str, list[str]]:
    """Of three epochs of every transform, with the global generators in some state."""
    np.random.seed(global_seed)
    torch.manual_seed(global_seed)
    return {name: [made(name, epoch) for epoch in range(3)] for name in RANDOM}


def test_every_registered_transform_is_looked_at_here() -> None:
    PIPELINES.get("Compose")  # imports them all
    own = {
        name
        for name, kind in PIPELINES.module_dict.items()
        if kind.__module__.startswith("detcore.datasets.transforms")
    }
    assert own == {*RANDOM, *PLAIN, *EXTERNAL}


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_three_numbers_give_the_same_sample_and_others_another(name: str) -> None:
    by_epoch = [made(name, epoch) for epoch in range(EPOCHS)]
    np.random.seed(5)  # neither the global generators nor what went before play a part
    torch.manual_seed(5)
    assert [made(name, epoch) for epoch in reversed(range(EPOCHS))] == by_epoch[::-1]
    assert len(set(by_epoch)) > 1, "no epoch draws anything else than the first"
    assert [made(name, 0, index=index) for index in range(EPOCHS)] != by_epoch[:1] * EPOCHS
    assert [made(name, e, seed=8) for e in range(EPOCHS)] != by_epoch


def test_another_process_makes_the_same_samples() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        elsewhere = pool.submit(all_digests, 99).result(PATIENCE)
    assert elsewhere == all_digests(1)


def test_no_transform_draws_from_a_global_generator() -> None:
    root = Path(str(importlib.util.find_spec("detcore.datasets.transforms").origin)).parent  # type: ignore[union-attr]
    for path in root.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "np.random." not in source.replace("np.random.Generator", ""), path
        assert "import random" not in source, path
        assert "torch.rand" not in source, path
