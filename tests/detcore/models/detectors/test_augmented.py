"""Test-time augmentation: several scales and flips of a picture, through the test pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.detcore.models.detectors.small_detectors import WITH_MASKS, small_detector
from torch import nn

from cvcore import Config
from detcore.apis import inference_detector
from detcore.datasets.transforms import Compose

DETECTORS = [
    "RPN",
    "FasterRCNN",
    "MaskRCNN",
    "CascadeRCNN",
    "Double-Head",
    "Dynamic",
    "RetinaNet",
    "FCOS",
]
HEIGHT, WIDTH = 64, 96


def pipeline(scales: list[tuple[int, int]], directions: list[str]) -> list[dict[str, Any]]:
    return [
        {"type": "LoadImageFromFile"},
        {
            "type": "MultiScaleFlipAug",
            "img_scale": scales,
            "flip": bool(directions),
            **({"flip_direction": directions} if directions else {}),
            "transforms": [
                {"type": "Resize", "keep_ratio": True},
                {"type": "RandomFlip"},
                {"type": "Normalize", "mean": [120.0] * 3, "std": [60.0] * 3, "to_rgb": True},
                {"type": "Pad", "size_divisor": 8},
                {"type": "ImageToTensor", "keys": ["img"]},
                {"type": "Collect", "keys": ["img"]},
            ],
        },
    ]


def made(name: str, scales: list[tuple[int, int]], directions: list[str]) -> nn.Module:
    model = small_detector(name).eval()
    model.cfg = Config({"data": {"test": {"pipeline": pipeline(scales, directions)}}})
    return model


@pytest.fixture
def picture() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(0, 256, (8, 12, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)


def split(result: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n, 6) boxes, scores and classes sorted by them; (n, h, w) masks in their order."""
    boxes, masks = result if isinstance(result, tuple) else (result, None)
    boxes = boxes if isinstance(boxes, list) else [boxes]
    rows = np.concatenate([np.insert(each, 5, label, axis=1) for label, each in enumerate(boxes)])
    order = np.lexsort(rows[:, ::-1].round(2).T)
    if masks is None:
        return rows[order], np.zeros((len(rows), 0, 0))
    return rows[order], np.array([mask for of_class in masks for mask in of_class])[order]


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    ("direction", "axis", "sides"), [("horizontal", 1, [0, 2]), ("vertical", 0, [1, 3])]
)
def test_a_mirrored_picture_has_mirrored_results_when_both_are_looked_at(
    name: str, direction: str, axis: int, sides: list[int], picture: np.ndarray
) -> None:
    model = made(name, [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2)], [direction])
    mirrored = np.ascontiguousarray(np.flip(picture, axis))
    rows, masks = split(inference_detector(model, picture))
    others, other_masks = split(inference_detector(model, mirrored))
    assert 0 < len(rows) == len(others)
    others[:, sides] = picture.shape[axis] - others[:, sides[::-1]]
    order = np.lexsort(others[:, ::-1].round(2).T)
    np.testing.assert_allclose(others[order], rows, atol=2e-2)
    if name in WITH_MASKS:
        flipped = np.flip(other_masks[order], axis + 1)
        assert masks.shape[1:] == (HEIGHT, WIDTH)
        assert (flipped != masks).mean() < 1e-3


@pytest.mark.parametrize("name", DETECTORS)
def test_flipped_views_alone_change_what_one_view_finds(name: str, picture: np.ndarray) -> None:
    one, _ = split(inference_detector(made(name, [(WIDTH, HEIGHT)], []), picture))
    views = made(name, [(WIDTH, HEIGHT)], ["horizontal", "vertical", "diagonal"])
    four, _ = split(inference_detector(views, picture))
    assert one.shape != four.shape or not np.allclose(one, four)
    assert np.isfinite(four).all()
    assert (four[:, [0, 1]] >= -1e-3).all()
    assert (four[:, [2, 3]] <= np.array([WIDTH, HEIGHT]) + 1e-3).all()


def test_proposals_from_a_file_are_looked_at_in_every_view(picture: np.ndarray) -> None:
    model = small_detector("FastRCNN").eval()
    settings = pipeline([(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2)], ["horizontal"])
    views = settings[1]
    views["transforms"][-2:] = [
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "ToTensor", "keys": ["proposals"]},
        {"type": "Collect", "keys": ["img", "proposals"]},
    ]
    results = []
    for image, left in ((picture, 8.0), (np.ascontiguousarray(picture[:, ::-1]), WIDTH - 48.0)):
        boxes = np.array([[left, 8, left + 40, 40], [WIDTH / 2 - 20, 16, WIDTH / 2 + 20, 60]])
        sample = Compose([{"type": "LoadProposals"}, views])(
            {
                "img": image,
                "img_shape": image.shape,
                "ori_shape": image.shape,
                "pad_shape": image.shape,
                "filename": None,
                "ori_filename": None,
                "img_fields": ["img"],
                "bbox_fields": [],
                "mask_fields": [],
                "seg_fields": [],
                "proposals": boxes.astype(np.float32),
            }
        )
        with torch.no_grad():
            result = model(
                return_loss=False,
                rescale=True,
                img=[each[None] for each in sample["img"]],
                img_metas=[[meta.data] for meta in sample["img_metas"]],
                proposals=[[each] for each in sample["proposals"]],
            )[0]
        results.append(split(result)[0])
    plain, mirrored = results
    mirrored[:, [0, 2]] = WIDTH - mirrored[:, [2, 0]]
    order = np.lexsort(mirrored[:, ::-1].round(2).T)
    assert len(plain) > 0
    np.testing.assert_allclose(mirrored[order], plain, atol=2e-2)
