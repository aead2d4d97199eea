"""Average precision by LVIS's rules for labels that are not exhaustive.

Gupta, Dollar, Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019.

A class is judged only in the images where annotators looked for it: those that show it and those
that are known not to. Where not all of its objects are marked, a detection without a match is not
held against the detector. An image counts with its 300 best detections, of all classes together.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detcore.evaluation.coco import USUAL_THRESHOLDS, CocoFigures, CocoObjects, counting_task
from detcore.evaluation.coco_matching import count_pairs

MAX_DETECTIONS = 300
FREQUENCIES = ("r", "c", "f")  # rare, common, frequent: on 1-10, 11-100, more images of training


@dataclass(frozen=True, slots=True)
class LvisFigures:
    """What an LVIS evaluation found; -1 stands where no object of that kind exists."""

    counted: CocoFigures
    frequencies: tuple[str, ...]  # of each category, in the order of the figures

    def average_precision(self, frequency: str) -> float:
        """Mean precision of the categories of one frequency."""
        chosen = [label for label, each in enumerate(self.frequencies) if each == frequency]
        known = self.counted.precision[:, :, chosen, 0, -1]
        known = known[known > -1]
        return float(known.mean()) if known.size else -1.0

    def named(self) -> dict[str, float]:
        """LVIS's thirteen figures under its names."""
        counted = self.counted
        figures = {
            "AP": counted.average_precision(),
            "AP50": counted.average_precision(0.5),
            "AP75": counted.average_precision(0.75),
        }
        sizes = {"s": "small", "m": "medium", "l": "large"}
        figures |= {f"AP{k}": counted.average_precision(area=area) for k, area in sizes.items()}
        figures |= {f"AP{k}": self.average_precision(k) for k in FREQUENCIES}
        most = counted.max_dets[-1]
        figures[f"AR@{most}"] = counted.average_recall()
        figures |= {f"AR{k}@{most}": counted.average_recall(area) for k, area in sizes.items()}
        return figures


def evaluate_lvis(
    truths: CocoObjects,
    detections: CocoObjects,
    images: Sequence[Mapping[str, Any]],
    category_ids: Sequence[Hashable],
    frequencies: Sequence[str],
    iou_type: str = "bbox",
) -> LvisFigures:
    """Compare detections with objects.

    Args:
        truths: Objects of all images.
        detections: Detections, with scores.
        images: Records with ``id``, ``neg_category_ids`` and ``not_exhaustive_category_ids``.
        category_ids: Categories to evaluate; figures come in this order.
        frequencies: ``"r"``, ``"c"`` or ``"f"`` of each of them.
        iou_type: ``"bbox"`` or ``"segm"``.
    """
    image_ids = [image["id"] for image in images]
    task = counting_task(
        truths,
        best_of_each_image(detections, MAX_DETECTIONS),
        image_ids,
        category_ids,
        iou_type=iou_type,
        max_dets=(MAX_DETECTIONS,),
    )
    ordered = sorted(image_ids, key=lambda i: (isinstance(i, str), i))
    numbers = {image_id: i for i, image_id in enumerate(ordered, start=1)}
    labels = {category: i for i, category in enumerate(category_ids, start=1)}
    absent, partial = (
        frozenset(
            (numbers[image["id"]], labels[category])
            for image in images
            for category in image.get(key, ())
            if category in labels
        )
        for key in ("neg_category_ids", "not_exhaustive_category_ids")
    )
    precision, recall = count_pairs(task, absent, partial)
    counted = CocoFigures(precision, recall, USUAL_THRESHOLDS, (MAX_DETECTIONS,))
    return LvisFigures(counted, tuple(frequencies))


def best_of_each_image(detections: CocoObjects, most: int) -> CocoObjects:
    """The `most` detections of each image that score highest, in the order they had."""
    scores = np.asarray(detections.scores)
    _, images = np.unique(np.array([str(i) for i in detections.image_ids]), return_inverse=True)
    order = np.lexsort((-scores, images))
    sorted_images = images[order]
    starts = np.searchsorted(sorted_images, sorted_images)  # where each one's image begins
    kept = np.sort(order[np.arange(len(order)) - starts < most])
    rows = kept.tolist()
    masks = detections.masks
    return replace(
        detections,
        image_ids=[detections.image_ids[i] for i in rows],
        category_ids=[detections.category_ids[i] for i in rows],
        boxes=detections.boxes[kept],
        areas=detections.areas[kept],
        scores=scores[kept],
        masks=None if masks is None else [masks[i] for i in rows],
    )
