"""Run lengths in COCO's text form, many at once."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as rle

from detcore.datasets.segmentations.run_lengths import covered_pixels


def test_the_runs_of_any_mask_add_up_to_its_image() -> None:
    draw = np.random.default_rng(0)
    texts, sizes = [], []
    for number in range(60):
        height, width = draw.integers(1, 90, 2).tolist()
        # From stripes of long runs to noise of short ones, and masks that are full or empty.
        mask = draw.random((height, width)) < number / 59
        if number % 3 == 0:
            mask[:, : width // 2] = True
        texts.append(rle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"])
        sizes.append(height * width)
    assert covered_pixels(texts).tolist() == sizes


def test_a_text_that_is_cut_short_is_told_apart() -> None:
    whole = rle.encode(np.asfortranarray(np.eye(300, dtype=np.uint8)))["counts"]
    # The first run is 0 ("0"), the second 1 ("1"), the third 300: 44, carried (0x2c + 48), then 9.
    assert covered_pixels([whole[:3], whole]).tolist() == [-1, 90000]


def test_no_mask_and_an_empty_text_cover_nothing() -> None:
    assert covered_pixels([]).tolist() == []
    assert covered_pixels([b""]).tolist() == [0]
