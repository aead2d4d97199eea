"""Images and data sets of a few numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from detcore.report.objects import ImageObjects


def image_of(
    truths: list[tuple[list[float], int]],
    found: list[tuple[list[float], float, int]],
    ignored: list[list[float]] | None = None,
) -> ImageObjects:
    """An image from (box, label) and (box, score, label), the surest first."""
    return ImageObjects(
        name="a.jpg",
        path=Path("a.jpg"),
        truth_boxes=np.array([box for box, _ in truths], dtype=float).reshape(-1, 4),
        truth_labels=np.array([label for _, label in truths], dtype=np.int64),
        ignored_boxes=np.array(ignored or [], dtype=float).reshape(-1, 4),
        boxes=np.array([box for box, _, _ in found], dtype=float).reshape(-1, 4),
        scores=np.array([score for _, score, _ in found], dtype=float),
        labels=np.array([label for _, _, label in found], dtype=np.int64),
    )


class PlainDataset:
    """What a report needs of a data set, and no more."""

    CLASSES = ("cat", "dog")
    img_prefix = ""

    def __init__(self, images: list[tuple[str, list[list[float]], list[int]]]) -> None:
        self.data_infos = [{"filename": name} for name, _, _ in images]
        self._annotations = [
            {"bboxes": np.array(boxes).reshape(-1, 4), "labels": np.array(labels)}
            for _, boxes, labels in images
        ]

    def __len__(self) -> int:
        return len(self.data_infos)

    def get_ann_info(self, index: int) -> dict[str, Any]:
        return self._annotations[index]
