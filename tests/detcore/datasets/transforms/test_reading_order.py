"""Images read in the order of `Normalize`: fewer exchanges of channels, and the same sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.image import imwrite
from detcore.datasets.transforms import (
    Compose,
    LoadImageFromFile,
    Normalize,
    Pad,
    RandomFlip,
    Resize,
)
from detcore.datasets.transforms.reading_order import read_in_order

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def chain(**load: Any) -> list[Any]:
    """Transforms of a usual training, always mirrored."""
    return [
        LoadImageFromFile(**load),
        Resize(img_scale=(70, 50)),
        RandomFlip(flip_ratio=1.0),
        Normalize(MEAN, STD),
        Pad(size_divisor=32),
    ]


@pytest.fixture
def sample(tmp_path: Path) -> dict[str, Any]:
    """What a dataset gives to its first transform."""
    draw = np.random.default_rng(0)
    imwrite(draw.integers(0, 256, (31, 45, 3), dtype=np.uint8), tmp_path / "image.jpg")
    return {"img_info": {"filename": "image.jpg"}, "img_prefix": str(tmp_path)}


def test_a_sample_is_the_same_as_of_each_transform_alone(sample: dict[str, Any]) -> None:
    together = Compose(chain())(dict(sample))
    alone: Any = dict(sample)
    for transform in chain():
        alone = transform(alone)
    assert together is not None
    assert together.keys() == alone.keys()
    np.testing.assert_array_equal(together["img"], alone["img"])
    assert together["img_norm_cfg"]["to_rgb"] is True
    assert together["img_shape"] == alone["img_shape"]


def test_transforms_of_others_see_bgr(sample: dict[str, Any]) -> None:
    seen = []

    class Own(RandomFlip):
        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            seen.append(results["img"].copy())
            return super().__call__(results)

    for watch in (Own(flip_ratio=0.0), lambda results: seen.append(results["img"].copy())):
        steps = [LoadImageFromFile(), watch, Normalize(MEAN, STD)]
        assert read_in_order(steps) == steps
        Compose(steps)(dict(sample))
    for image in seen:
        np.testing.assert_array_equal(image, LoadImageFromFile()(dict(sample))["img"])


@pytest.mark.parametrize(
    "load", [{"channel_order": "rgb"}, {"color_type": "unchanged"}, {"color_type": "grayscale"}]
)
def test_only_colours_that_are_read_as_bgr_change_their_order(load: dict[str, Any]) -> None:
    steps = chain(**load)
    assert read_in_order(steps) == steps


def test_the_transforms_themselves_stay_as_they_are() -> None:
    steps = chain()
    changed = read_in_order(steps)
    assert changed[0].channel_order == "rgb"
    assert steps[0].channel_order == "bgr"
    assert changed[3].to_rgb is False
    assert steps[3].to_rgb is True
    without = [LoadImageFromFile(), Normalize(MEAN, STD, to_rgb=False)]
    assert read_in_order(without) == without
    assert read_in_order(steps[:2]) == steps[:2]
    assert read_in_order([]) == []
