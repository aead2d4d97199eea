"""Changes of values; level transforms are held to figures in test_parity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets.transforms import (
    AutoAugment,
    BrightnessTransform,
    ColorTransform,
    CutOut,
    Normalize,
    PhotoMetricDistortion,
    YOLOXHSVRandomAug,
)
from detcore.errors import OptionError

Maker = Callable[..., dict[str, Any]]


def picture(value: tuple[int, int, int] = (40, 80, 160)) -> dict[str, Any]:
    return {"img": np.full((20, 30, 3), value, dtype=np.uint8), "img_fields": ["img"]}


def run(transform: Any, index: int, sample: dict[str, Any]) -> dict[str, Any]:
    with sample_randomness(0, 0, index):
        return transform(sample)


def test_normalising_turns_the_channels_and_remembers_how() -> None:
    results = Normalize(mean=[100, 50, 20], std=[10, 5, 2])(picture())
    assert results["img"].dtype == np.float32
    # BGR 40 80 160 is RGB 160 80 40: (160 - 100) / 10, (80 - 50) / 5, (40 - 20) / 2.
    np.testing.assert_allclose(results["img"][0, 0], [6, 6, 10], rtol=1e-6)
    assert results["img_norm_cfg"]["std"].tolist() == [10, 5, 2]
    kept = Normalize(mean=[40, 80, 160], std=[1, 1, 1], to_rgb=False)(picture())
    assert np.abs(kept["img"]).max() == 0


def test_distortion_draws_anew_and_leaves_the_source_alone() -> None:
    transform = PhotoMetricDistortion()
    made = []
    for index in range(40):
        sample = picture()
        source = sample["img"]
        results = run(transform, index, sample)
        assert (source == (40, 80, 160)).all()
        assert results["img"].dtype == np.float32
        made.append(tuple(np.round(results["img"][0, 0], 3)))
    assert len(set(made)) > 30
    assert (40, 80, 160) in made or len({sorted(m)[0] for m in made}) > 20


def test_distortion_without_any_range_only_reorders_channels() -> None:
    transform = PhotoMetricDistortion(0, (1, 1), (1, 1), 0)
    for index in range(20):
        assert sorted(run(transform, index, picture())["img"][0, 0].tolist()) == [40, 80, 160]


def test_brightness_stays_within_its_range() -> None:
    transform = PhotoMetricDistortion(32, (1, 1), (1, 1), 0)
    sums = [run(transform, index, picture())["img"][0, 0].sum() / 3 for index in range(60)]
    shifts = np.array(sums) - (40 + 80 + 160) / 3
    assert np.abs(shifts).max() <= 32.01
    assert shifts.min() < -20
    assert shifts.max() > 20
    assert 15 < (np.abs(shifts) < 1e-3).sum() < 45  # half of the time there is none


def test_hsv_shifts_are_bounded_and_keep_the_type() -> None:
    transform = YOLOXHSVRandomAug(hue_delta=0, saturation_delta=0, value_delta=30)
    values = [int(run(transform, index, picture())["img"].max()) for index in range(60)]
    assert run(transform, 0, picture())["img"].dtype == np.uint8
    # The value of HSV is the largest channel, 160.
    assert min(values) >= 130
    assert max(values) <= 190
    assert len(set(values)) > 10
    assert values.count(160) > 15


@pytest.mark.parametrize("kind", [ColorTransform, BrightnessTransform])
def test_level_five_is_the_image_itself(kind: Any) -> None:
    results = kind(level=5, prob=1.0)(picture())
    np.testing.assert_allclose(results["img"].astype(int), picture()["img"], atol=1)
    with pytest.raises(OptionError, match=kind.__name__):
        kind(level=12)


def test_a_policy_is_drawn_evenly(make_sample: Maker) -> None:
    policies = [
        [{"type": "RandomFlip", "flip_ratio": 1.0, "direction": direction}]
        for direction in ("horizontal", "vertical")
    ]
    made = [run(AutoAugment(policies), i, make_sample())["flip_direction"] for i in range(60)]
    assert 18 < made.count("horizontal") < 42
    assert set(made) == {"horizontal", "vertical"}
    with pytest.raises(OptionError, match="none empty"):
        AutoAugment([[]])


def test_holes_have_their_number_size_and_fill() -> None:
    hole = CutOut(n_holes=1, cutout_shape=(4, 3), fill_in=(1, 2, 3))
    areas = []
    for index in range(40):
        covered = (run(hole, index, picture())["img"] == (1, 2, 3)).all(-1)
        rows, columns = np.nonzero(covered)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height <= 3
        assert width <= 4
        assert covered.sum() == height * width
        areas.append(covered.sum())
    assert max(areas) == 12
    none = run(CutOut(n_holes=0, cutout_ratio=(0.5, 0.5)), 0, picture())
    np.testing.assert_array_equal(none["img"], picture()["img"])


def test_holes_may_be_fractions_of_the_image() -> None:
    hole = CutOut(n_holes=(1, 2), cutout_ratio=[(0.1, 0.5)])
    largest = max((run(hole, i, picture())["img"] == 0).all(-1).sum() for i in range(40))
    assert 3 * 10 < largest <= 2 * 3 * 10  # two of 3 x 10 pixels
    for options in ({}, {"cutout_shape": (1, 1), "cutout_ratio": (1, 1)}):
        with pytest.raises(OptionError, match="one of cutout_shape and cutout_ratio"):
            CutOut(1, **options)
    with pytest.raises(OptionError, match="n_holes"):
        CutOut((3, 1), (1, 1))
