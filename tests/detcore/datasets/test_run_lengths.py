"""Run lengths decoded in the window of what is set."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as rle

from detcore.datasets.segmentations.run_lengths import decode_window


def bitmaps() -> list[np.ndarray]:
    """Empty, full, a corner, the last pixel, and noise of several densities."""
    draw = np.random.default_rng(0)
    found = [np.zeros((5, 7)), np.ones((5, 7)), np.ones((1, 1))]
    for height, width in draw.integers(1, 50, (60, 2)).tolist():
        corner = np.zeros((height, width))
        corner[draw.integers(height) :, draw.integers(width) :] = 1
        found += [corner, draw.random((height, width)) < draw.random() ** 3]
    found.append(np.zeros((300, 400)))  # its runs are of several characters
    found[-1][100:250, 50:60] = 1
    return [np.asfortranarray(each.astype(np.uint8)) for each in found]


@pytest.mark.parametrize("text", [bytes, str])
def test_the_window_is_the_bitmap_cut_out(text: type) -> None:
    for bitmap in bitmaps():
        run = rle.encode(bitmap)
        x, y, wide, high = box = rle.toBbox(run).astype(int).tolist()
        counts = run["counts"] if text is bytes else run["counts"].decode()
        window = decode_window({**run, "counts": counts}, box)
        np.testing.assert_array_equal(window, bitmap[y : y + high, x : x + wide])
        assert window.dtype == np.uint8
        assert window.flags.c_contiguous


def test_runs_of_too_many_pixels_are_refused() -> None:
    run = rle.encode(np.ones((9, 9), dtype=np.uint8, order="F"))
    with pytest.raises(ValueError, match="Invalid RLE"):
        decode_window({"size": [3, 4], "counts": run["counts"]}, [0, 0, 4, 3])
