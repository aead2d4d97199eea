"""Average precision of every class by COCO's rules, and its precision-recall curve."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detcore.datasets import CocoDataset
from detcore.datasets.coco.results import boxes_of, masks_of
from detcore.evaluation import CocoFigures, CocoObjects, evaluate_coco
from detcore.report.matching import Verdict
from detcore.report.objects import ImageObjects
from detcore.report.verdicts import Threshold, Verdicts, best_threshold

PER_IMAGE = 100  # detections of an image and class that count, as COCO has it
# Name of each figure, and which overlap and size of object it is for.
FIGURES: dict[str, tuple[float | None, str]] = {
    "AP": (None, "all"),
    "AP50": (0.5, "all"),
    "AP75": (0.75, "all"),
    "AP small": (None, "small"),
    "AP medium": (None, "medium"),
    "AP large": (None, "large"),
}


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: its figures, None where no object of that size exists."""

    name: str
    objects: int
    box_ap: dict[str, float | None]  # by the names of FIGURES
    mask_ap: dict[str, float | None] | None
    threshold: Threshold | None
    curve: list[float] | None  # (101,) precision at recalls 0, 0.01, ... 1, at an overlap of 0.5


def class_figures(
    dataset: Any, results: Sequence[Any], images: Sequence[ImageObjects], found: Verdicts
) -> list[ClassFigures]:
    """Figures of each class of ``dataset``, in label order.

    Args:
        dataset: As ``objects_of`` takes it.
        results: One entry an image.
        images: What ``objects_of`` made of these.
        found: The verdicts on them.
    """
    boxes = _evaluated(dataset, results, images, "bbox")
    masks = None
    if isinstance(dataset, CocoDataset) and results and isinstance(results[0], tuple):
        masks = _evaluated(dataset, results, images, "segm")
    counts = found.objects_per_class(len(dataset.CLASSES)).tolist()
    return [
        ClassFigures(
            name=str(name),
            objects=counts[label],
            box_ap=_named(boxes, label),
            mask_ap=None if masks is None else _named(masks, label),
            threshold=_threshold(found, label, counts[label]),
            curve=_curve(boxes, label),
        )
        for label, name in enumerate(dataset.CLASSES)
    ]


def _evaluated(
    dataset: Any, results: Sequence[Any], images: Sequence[ImageObjects], kind: str
) -> CocoFigures:
    image_ids: Sequence[Hashable] = range(len(images))
    category_ids: Sequence[Hashable] = range(len(dataset.CLASSES))
    if isinstance(dataset, CocoDataset):
        image_ids, category_ids = dataset.img_ids, dataset.cat_ids
        truths = dataset.truths(masks=kind == "segm")
    else:
        truths = _truths(images)
    read = masks_of if kind == "segm" else boxes_of
    return evaluate_coco(
        truths,
        read(results, image_ids, category_ids),
        image_ids,
        category_ids,
        iou_type=kind,
        proposal_nums=(PER_IMAGE,),
    )


def _truths(images: Sequence[ImageObjects]) -> CocoObjects:
    """Annotations of a dataset that is not COCO's; image and category ids are positions."""
    corners = np.concatenate([np.zeros((0, 4)), *(image.truth_boxes for image in images)])
    sizes = corners[:, 2:] - corners[:, :2]
    return CocoObjects(
        image_ids=[i for i, image in enumerate(images) for _ in image.truth_labels],
        category_ids=[label for image in images for label in image.truth_labels.tolist()],
        boxes=np.hstack([corners[:, :2], sizes]),
        areas=sizes.prod(axis=1),
    )


def _named(figures: CocoFigures, label: int) -> dict[str, float | None]:
    values = {
        name: figures.average_precision(threshold, area, category=label)
        for name, (threshold, area) in FIGURES.items()
    }
    return {name: None if value < 0 else round(value, 4) for name, value in values.items()}


def _curve(figures: CocoFigures, label: int) -> list[float] | None:
    row = int(np.flatnonzero(np.isclose(figures.thresholds, 0.5))[0])
    precision = figures.precision[row, :, label, 0, -1]
    return None if (precision < 0).all() else [round(float(value), 4) for value in precision]


def _threshold(found: Verdicts, label: int, objects: int) -> Threshold | None:
    counted = (found.labels == label) & (found.verdicts != Verdict.IGNORED)
    hits = found.verdicts[counted] == Verdict.HIT
    return best_threshold(found.scores[counted], hits, objects)


def mean_of(classes: Sequence[ClassFigures], name: str, masks: bool = False) -> float | None:
    """Mean of a figure over the classes that have it."""
    tables = [figures.mask_ap if masks else figures.box_ap for figures in classes]
    values = [table[name] for table in tables if table is not None and table[name] is not None]
    return None if not values else float(np.mean([value for value in values if value is not None]))
