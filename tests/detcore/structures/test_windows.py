"""Bitmaps kept as windows are the bitmaps of whole images."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cvcore.image.resample import resample_nearest
from detcore.structures import BitmapMasks
from detcore.structures.windows import Windows


@pytest.fixture
def bitmaps() -> np.ndarray:
    """Four bitmaps of 24 x 31: in the middle, at a corner, nothing, and everything."""
    draw = np.random.default_rng(0)
    masks = np.zeros((4, 24, 31), dtype=np.uint8)
    masks[0, 5:17, 8:20] = draw.integers(0, 2, (12, 12))
    masks[1, :3, 29:] = 1
    masks[3] = 1
    return masks


def test_windows_are_as_small_as_can_be_and_give_the_bitmaps_back(bitmaps: np.ndarray) -> None:
    windows = Windows.of(bitmaps)
    assert [part.shape for part in windows.parts] == [(12, 12), (3, 2), (0, 0), (24, 31)]
    assert windows.corners.tolist() == [[5, 8], [0, 29], [0, 0], [0, 0]]
    np.testing.assert_array_equal(windows.dense(), bitmaps)
    np.testing.assert_array_equal(windows.areas(), bitmaps.sum((1, 2)))
    np.testing.assert_array_equal(windows.take(np.array([3, 0])).dense(), bitmaps[[3, 0]])


@pytest.mark.parametrize("size", [(24, 31), (50, 64), (11, 7), (1, 1), (7, 90)])
def test_resizing_takes_the_pixels_that_resizing_the_whole_takes(
    bitmaps: np.ndarray, size: tuple[int, int]
) -> None:
    resized = Windows.of(bitmaps).resize_nearest(*size).dense()
    expected = [resample_nearest(mask, size[::-1]) for mask in bitmaps]
    np.testing.assert_array_equal(resized, expected)


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, False), (False, True), (True, True)])
def test_mirroring_and_padding_move_the_windows(
    bitmaps: np.ndarray, horizontal: bool, vertical: bool
) -> None:
    windows = Windows.of(bitmaps).flip(horizontal, vertical).pad(32, 40)
    axes = [axis for axis, turned in ((1, vertical), (2, horizontal)) if turned]
    expected = np.pad(np.flip(bitmaps, axes), ((0, 0), (0, 8), (0, 9)))
    np.testing.assert_array_equal(windows.dense(), expected)


def test_masks_that_were_looked_at_can_be_written_into(bitmaps: np.ndarray) -> None:
    masks = BitmapMasks(bitmaps, 24, 31).flip()
    padded = masks.pad((24, 40))
    masks.masks[:] = 0
    assert masks.resize((48, 62)).areas.tolist() == [0, 0, 0, 0]
    assert padded.areas.tolist() == bitmaps.sum((1, 2)).tolist()
    assert masks[[0]].masks.shape == (1, 24, 31)


def test_what_a_worker_sends_is_a_fraction_of_whole_bitmaps(bitmaps: np.ndarray) -> None:
    masks = BitmapMasks(bitmaps[:3], 24, 31).resize((480, 620)).flip().pad((512, 640))
    sent = pickle.dumps(masks)
    # Windows of 240 x 240 and 60 x 40 pixels, where whole bitmaps are 3 x 512 x 640.
    assert 240 * 240 + 60 * 40 <= len(sent) < 240 * 240 + 60 * 40 + 2000
    np.testing.assert_array_equal(pickle.loads(sent).masks, masks.masks)
    assert pickle.loads(sent)[np.array([False, True, False])].areas.tolist() == [60 * 40]
