"""Polygons and bitmaps of the same objects stay the same objects through every transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detcore.structures import BitmapMasks, PolygonMasks

HEIGHT, WIDTH = 120, 160
BOXES = np.array([[10, 20, 100, 90], [60, 10, 150, 110], [50, 25, 95, 80]], dtype=np.float32)
INDS = np.array([0, 1, 0])

Form = BitmapMasks | PolygonMasks
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "rescale": lambda masks: masks.rescale(1.5),
    "rescale into": lambda masks: masks.rescale((100, 60)),
    "resize": lambda masks: masks.resize((200, 100)),
    "crop": lambda masks: masks.crop(np.array([15, 12, 121, 97])),
    "crop and resize": lambda masks: masks.crop_and_resize(BOXES, (56, 72), INDS),
    "flip horizontal": lambda masks: masks.flip("horizontal"),
    "flip vertical": lambda masks: masks.flip("vertical"),
    "flip diagonal": lambda masks: masks.flip("diagonal"),
    "pad": lambda masks: masks.pad((140, 180)),
    "expand": lambda masks: masks.expand(200, 300, 31, 57),
    "translate horizontal": lambda masks: masks.translate((HEIGHT, WIDTH), 25),
    "translate vertical": lambda masks: masks.translate((HEIGHT, WIDTH), -30, "vertical"),
    "shear horizontal": lambda masks: masks.shear((HEIGHT, WIDTH), 0.3),
    "shear vertical": lambda masks: masks.shear((HEIGHT, WIDTH), -0.2, "vertical"),
    "rotate": lambda masks: masks.rotate((HEIGHT, WIDTH), 25),
    "rotate and scale": lambda masks: masks.rotate(
        (HEIGHT, WIDTH), -40, center=(60, 50), scale=0.7
    ),
}


def star(x: float, y: float, outer: float, inner: float) -> np.ndarray:
    """(20,) a star of five points about a centre."""
    angles = np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, inner, outer)
    points = np.stack([x + radii * np.sin(angles), y - radii * np.cos(angles)], axis=1)
    return points.astype(np.float32).reshape(-1)


@pytest.fixture
def polygons() -> PolygonMasks:
    """A star and an object of two parts, some way from the border of the image."""
    first = [star(70, 60, 38, 20)]
    second = [star(100, 60, 18, 12), np.array([30, 40, 62, 44, 45, 80], dtype=np.float32)]
    return PolygonMasks([first, second], HEIGHT, WIDTH)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_rasterising_before_and_after_gives_the_same(name: str, polygons: PolygonMasks) -> None:
    transform = TRANSFORMS[name]
    after = transform(polygons).to_ndarray().astype(bool)
    before = transform(polygons.to_bitmap()).to_ndarray().astype(bool)
    assert after.shape == before.shape
    union = (after | before).sum((1, 2))
    # What differs lies along the outline, whose pixels are half covered.
    outline = (after ^ np.roll(after, 1, 1)).sum((1, 2)) + (after ^ np.roll(after, 1, 2)).sum(
        (1, 2)
    )
    assert (union > 100).all()
    assert ((after ^ before).sum((1, 2)) <= 0.6 * outline + 4).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_masks_stay_none_in_an_image_of_the_new_size(name: str, polygons: PolygonMasks) -> None:
    transform = TRANSFORMS[name]
    nothing = np.zeros((0, 4), dtype=np.float32)
    for empty in (polygons[:0], polygons[:0].to_bitmap()):
        if name == "crop and resize":
            found = empty.crop_and_resize(nothing, (56, 72), np.zeros(0, dtype=int))
        else:
            found = transform(empty)
        expected = transform(polygons)
        assert len(found) == 0
        assert (found.height, found.width) == (expected.height, expected.width)
        assert found.to_ndarray().shape == (0, found.height, found.width)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("rescale", 2.25), ("rescale into", 0.25), ("flip diagonal", 1), ("expand", 1)],
)
def test_areas_grow_with_the_square_of_the_scale(
    name: str, factor: float, polygons: PolygonMasks
) -> None:
    for masks in (polygons, polygons.to_bitmap()):
        grown = TRANSFORMS[name](masks).areas / masks.areas
        np.testing.assert_allclose(grown, factor, rtol=0.06)


@pytest.mark.parametrize("corner", [[160, 120, 160, 120], [300, 10, 400, 50], [5, 120, 9, 130]])
def test_a_crop_outside_the_image_is_one_pixel_of_its_border(
    corner: list[int], polygons: PolygonMasks
) -> None:
    for masks in (polygons, polygons.to_bitmap()):
        cropped = masks.crop(np.array(corner))
        assert cropped.height >= 1
        assert cropped.width >= 1
        assert cropped.to_ndarray().shape == (2, cropped.height, cropped.width)
