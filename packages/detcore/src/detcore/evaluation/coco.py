"""Average precision and recall by COCO's rules, from arrays of boxes and masks.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detcore.evaluation.coco_counting import count_matches
from detcore.evaluation.coco_rows import Rows, Task

USUAL_THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = ("all", "small", "medium", "large")


@dataclass(frozen=True, slots=True)
class CocoObjects:
    """Objects or detections of many images, one row each."""

    image_ids: Sequence[Hashable]  # (n,)
    category_ids: Sequence[Hashable]  # (n,)
    boxes: np.ndarray  # (n, 4) float64, x y width height in pixels
    areas: np.ndarray  # (n,) float64, square pixels
    scores: np.ndarray | None = None  # (n,), of detections
    crowd: np.ndarray | None = None  # (n,) bool, of objects
    masks: Sequence[dict[str, Any]] | None = None  # compressed run lengths, to compare masks

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class CocoFigures:
    """What an evaluation found; -1 stands where no object of that kind exists."""

    precision: np.ndarray  # (thresholds, recalls, categories, areas, max_dets)
    recall: np.ndarray  # (thresholds, categories, areas, max_dets)
    thresholds: np.ndarray  # (thresholds,) IoU
    max_dets: tuple[int, ...]

    def average_precision(
        self,
        threshold: float | None = None,
        area: str = "all",
        max_dets: int | None = None,
        category: int | None = None,
    ) -> float:
        """Mean precision over recalls, and over what is not named; -1 without objects."""
        chosen = self.precision[self._rows(threshold), ..., AREAS.index(area), self._last(max_dets)]
        return _mean(chosen if category is None else chosen[:, :, category])

    def average_recall(self, area: str = "all", max_dets: int | None = None) -> float:
        """Mean recall over thresholds and categories; -1 without objects."""
        return _mean(self.recall[..., AREAS.index(area), self._last(max_dets)])

    def stats(self) -> list[float]:
        """COCO's twelve figures: AP, AP50, AP75, APs, APm, APl, AR at three counts, ARs/m/l."""
        # The overall AP is always that of 100 detections, whatever the recalls are counted at.
        usual = 100 if 100 in self.max_dets else self.max_dets[-1]
        counts = [*self.max_dets, *[self.max_dets[-1]] * 3][:3]
        return [
            self.average_precision(max_dets=usual),
            self.average_precision(0.5),
            self.average_precision(0.75),
            *(self.average_precision(area=area) for area in AREAS[1:]),
            *(self.average_recall(max_dets=count) for count in counts),
            *(self.average_recall(area) for area in AREAS[1:]),
        ]

    def summary(self) -> str:
        """The twelve figures in the lines that COCO's own tool prints."""
        usual = 100 if 100 in self.max_dets else self.max_dets[-1]
        last = self.max_dets[-1]
        counts = [*self.max_dets, last, last][:3]
        span = f"{self.thresholds[0]:0.2f}:{self.thresholds[-1]:0.2f}"
        lines = [("AP", span, "all", usual), ("AP", "0.50", "all", last)]
        lines += [("AP", "0.75", "all", last)]
        lines += [("AP", span, area, last) for area in AREAS[1:]]
        lines += [("AR", span, "all", count) for count in counts]
        lines += [("AR", span, area, last) for area in AREAS[1:]]
        titles = {"AP": "Average Precision", "AR": "Average Recall"}
        return "\n".join(
            f" {titles[kind]:<18} ({kind}) @[ IoU={iou:<9} | area={area:>6s} | "
            f"maxDets={count:>3d} ] = {value:0.3f}"
            for (kind, iou, area, count), value in zip(lines, self.stats(), strict=True)
        )

    def _rows(self, threshold: float | None) -> np.ndarray:
        if threshold is None:
            return np.arange(len(self.thresholds))
        return np.flatnonzero(np.isclose(self.thresholds, threshold))

    def _last(self, max_dets: int | None) -> int:
        return -1 if max_dets is None else self.max_dets.index(max_dets)


def evaluate_coco(
    truths: CocoObjects,
    detections: CocoObjects,
    image_ids: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    iou_type: str = "bbox",
    proposal_nums: Sequence[int] = (100, 300, 1000),
    iou_thrs: Sequence[float] | np.ndarray | None = None,
    class_agnostic: bool = False,
    backend: str = "auto",
) -> CocoFigures:
    """Compare detections with objects.

    Args:
        truths: Objects of all images.
        detections: Detections, with scores; in one image and class, ties keep this order.
        image_ids: Images to evaluate, also those without objects.
        category_ids: Categories to evaluate; figures per category come in this order.
        iou_type: ``"bbox"`` or ``"segm"``.
        proposal_nums: Detections of an image (and class) that count, ascending.
        iou_thrs: Least overlaps of a hit; 0.5, 0.55, ... 0.95 by default.
        class_agnostic: Leave classes aside, as for proposals.
        backend: Library that counts: ``"hotcoco"``, ``"faster_coco_eval"`` or ``"pycocotools"``;
            the fastest that is installed by default. All give the same figures.
    """
    thresholds = None if iou_thrs is None else np.asarray(iou_thrs, dtype=np.float64)
    task = counting_task(
        truths,
        detections,
        image_ids,
        category_ids,
        iou_type=iou_type,
        max_dets=proposal_nums,
        thresholds=thresholds,
        class_agnostic=class_agnostic,
    )
    precision, recall = count_matches(task, backend)
    return CocoFigures(
        precision=precision,
        recall=recall,
        thresholds=USUAL_THRESHOLDS if thresholds is None else thresholds,
        max_dets=tuple(task.max_dets),
    )


def counting_task(
    truths: CocoObjects,
    detections: CocoObjects,
    image_ids: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    *,
    iou_type: str,
    max_dets: Sequence[int],
    thresholds: np.ndarray | None = None,
    class_agnostic: bool = False,
) -> Task:
    """What the counting libraries are given: ids become numbers, in an order of their own.

    Images are counted in the order of their ids, which decides between equal scores; categories in
    the order given, so that figures come out in the order of the labels.
    """
    ordered = sorted(set(image_ids), key=lambda i: (isinstance(i, str), i))
    image_numbers = {image_id: i for i, image_id in enumerate(ordered, start=1)}
    category_numbers = {category: i for i, category in enumerate(category_ids, start=1)}
    return Task(
        truths=_rows(truths, image_numbers, category_numbers, class_agnostic),
        detections=_rows(detections, image_numbers, category_numbers, class_agnostic),
        num_images=len(ordered),
        num_categories=len(category_numbers),
        iou_type=iou_type,
        max_dets=sorted(max_dets),
        thresholds=thresholds,
        class_agnostic=class_agnostic,
    )


def _rows(
    objects: CocoObjects,
    images: Mapping[Hashable, int],
    categories: Mapping[Hashable, int],
    class_agnostic: bool,
) -> Rows:
    """Those of the images and categories that are evaluated."""
    numbers = np.array([images.get(i, 0) for i in objects.image_ids], dtype=np.int64)
    labels = np.array([categories.get(c, 0) for c in objects.category_ids], dtype=np.int64)
    if class_agnostic:
        labels = np.ones_like(labels)
    kept = np.flatnonzero((numbers > 0) & (labels > 0))
    crowd = np.zeros(len(objects), dtype=bool) if objects.crowd is None else objects.crowd
    return Rows(
        images=numbers[kept],
        categories=labels[kept],
        boxes=objects.boxes[kept],
        areas=objects.areas[kept],
        crowd=crowd[kept],
        scores=None if objects.scores is None else np.asarray(objects.scores)[kept],
        masks=None if objects.masks is None else [objects.masks[i] for i in kept.tolist()],
    )


def _mean(figures: np.ndarray) -> float:
    known = figures[figures > -1]
    return float(known.mean()) if known.size else -1.0
