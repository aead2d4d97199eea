"""A sample with everything that transforms touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detcore.structures import BitmapMasks

SampleMaker = Callable[..., dict[str, Any]]


@pytest.fixture
def make_sample() -> SampleMaker:
    """Makes a sample whose image, masks and semantic map show the boxes."""

    def make(
        boxes: Any = ((10, 10, 30, 20), (40, 5, 60, 45)),
        size: tuple[int, int] = (50, 80),
        masks: bool = True,
        seg: bool = True,
    ) -> dict[str, Any]:
        boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        height, width = size
        image = np.zeros((height, width, 3), dtype=np.uint8)
        stacked = np.zeros((len(boxes), height, width), dtype=np.uint8)
        for number, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
            image[y1:y2, x1:x2] = (number + 1) * 50
            stacked[number, y1:y2, x1:x2] = 1
        results: dict[str, Any] = {
            "img": image,
            "img_fields": ["img"],
            "img_shape": image.shape,
            "ori_shape": image.shape,
            "filename": "a.png",
            "ori_filename": "a.png",
            "bbox_fields": ["gt_bboxes"],
            "mask_fields": [],
            "seg_fields": [],
            "gt_bboxes": boxes,
            "gt_labels": np.arange(len(boxes)),
        }
        if masks:
            results["gt_masks"] = BitmapMasks(stacked, height, width)
            results["mask_fields"] = ["gt_masks"]
        if seg:
            results["gt_semantic_seg"] = (image[..., 0] // 50).astype(np.uint8)
            results["seg_fields"] = ["gt_semantic_seg"]
        return results

    return make


@pytest.fixture
def assert_aligned() -> Callable[[dict[str, Any]], None]:
    """Checks that boxes still lie around the bright parts of the image, the masks and the map."""

    def check(results: dict[str, Any]) -> None:
        for row, box in enumerate(results["gt_bboxes"]):
            label = int(results["gt_labels"][row])
            for pixels in (
                results["img"][..., 0] == (label + 1) * 50,
                results["gt_masks"].masks[row] > 0,
                results["gt_semantic_seg"] == label + 1,
            ):
                rows, columns = np.nonzero(pixels)
                around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                np.testing.assert_array_equal(around, box)

    return check
