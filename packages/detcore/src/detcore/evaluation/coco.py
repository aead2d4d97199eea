"""Average precision and recall by COCO's rules, counted by pycocotools from arrays.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

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

    def records(self) -> list[dict[str, Any]]:
        """As pycocotools wants them: one dict a row, ids from 1 up."""
        crowd = np.zeros(len(self), dtype=np.int64) if self.crowd is None else self.crowd
        columns: dict[str, Sequence[Any]] = {
            "image_id": self.image_ids,
            "category_id": self.category_ids,
            "bbox": self.boxes.tolist(),
            "area": self.areas.tolist(),
            "iscrowd": crowd.astype(int).tolist(),
            "id": range(1, len(self) + 1),
        }
        if self.scores is not None:
            columns["score"] = self.scores.tolist()
        if self.masks is not None:
            columns["segmentation"] = self.masks
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


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


class _ArrayCocoEval(COCOeval):
    """COCOeval on records that are there already, without building and querying an index."""

    def __init__(self, truths: CocoObjects, detections: CocoObjects, iou_type: str) -> None:
        super().__init__(None, None, iou_type)
        self._truths = truths
        self._detections = detections

    def _prepare(self) -> None:
        images, categories = set(self.params.imgIds), set(self.params.catIds)
        self._gts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        self._dts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for target, objects in ((self._gts, self._truths), (self._dts, self._detections)):
            for record in objects.records():
                image, category = record["image_id"], record["category_id"]
                if image in images and (category in categories or not self.params.useCats):
                    record["ignore"] = record["iscrowd"]
                    target[image, category].append(record)
        self.evalImgs: Any = defaultdict(list)
        self.eval: dict[str, Any] = {}


def evaluate_coco(
    truths: CocoObjects,
    detections: CocoObjects,
    image_ids: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    iou_type: str = "bbox",
    proposal_nums: Sequence[int] = (100, 300, 1000),
    iou_thrs: Sequence[float] | np.ndarray | None = None,
    class_agnostic: bool = False,
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
    """
    counter = _ArrayCocoEval(truths, detections, iou_type)
    counter.params.imgIds = list(image_ids)
    # pycocotools sorts the ids unless told otherwise, but the order is the caller's labels.
    counter.params.catIds = list(category_ids)
    counter.params.maxDets = sorted(proposal_nums)
    if iou_thrs is not None:
        counter.params.iouThrs = np.asarray(iou_thrs, dtype=np.float64)
    counter.params.useCats = int(not class_agnostic)
    with contextlib.redirect_stdout(io.StringIO()):
        counter.evaluate()
        counter.accumulate()
    return CocoFigures(
        precision=_in_order(counter.eval["precision"], 2, counter.params.catIds, category_ids),
        recall=_in_order(counter.eval["recall"], 1, counter.params.catIds, category_ids),
        thresholds=np.asarray(counter.params.iouThrs),
        max_dets=tuple(counter.params.maxDets),
    )


def _in_order(
    figures: np.ndarray, axis: int, found: Sequence[Hashable], wanted: Sequence[Hashable]
) -> np.ndarray:
    """Categories of `figures` in the order of `wanted`; evaluate() sorts and folds them."""
    if figures.shape[axis] != len(wanted):
        return figures
    place = {category: i for i, category in enumerate(found)}
    return figures.take([place[category] for category in wanted], axis=axis)


def _mean(figures: np.ndarray) -> float:
    known = figures[figures > -1]
    return float(known.mean()) if known.size else -1.0
