"""Precision and recall by COCO's rules, counted by whichever library is installed.

hotcoco and faster-coco-eval (the extra ``eval``) count what pycocotools counts, many times as fast.
All are given the same numbers and give the same arrays.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from cvcore.errors import requires
from detcore.errors import check_option

Arrays = tuple[np.ndarray, np.ndarray]  # precision (T, R, K, A, M), recall (T, K, A, M)
BACKENDS = ("auto", "hotcoco", "faster_coco_eval", "pycocotools")
_PIXELS = 1  # the libraries want images to have a size, and do not look at it


@dataclass(frozen=True, slots=True)
class Rows:
    """Objects or detections of all images; ids are numbers from 1 in the order of counting."""

    images: np.ndarray  # (n,) int64
    categories: np.ndarray  # (n,) int64
    boxes: np.ndarray  # (n, 4) float64, x y width height
    areas: np.ndarray  # (n,) float64
    crowd: np.ndarray  # (n,) bool
    scores: np.ndarray | None  # (n,) float64, of detections
    masks: list[dict[str, Any]] | None  # compressed run lengths

    def records(self) -> list[dict[str, Any]]:
        """One dict a row, ids from 1."""
        columns: dict[str, Any] = {
            "image_id": self.images.tolist(),
            "category_id": self.categories.tolist(),
            "bbox": self.boxes.tolist(),
            "area": self.areas.tolist(),
            "iscrowd": self.crowd.astype(int).tolist(),
            "id": range(1, len(self.images) + 1),
        }
        if self.scores is not None:
            columns["score"] = self.scores.tolist()
        if self.masks is not None:
            columns["segmentation"] = self.masks
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be counted."""

    truths: Rows
    detections: Rows
    num_images: int
    num_categories: int
    iou_type: str  # bbox or segm
    max_dets: list[int]  # ascending
    thresholds: np.ndarray | None
    class_agnostic: bool

    def settle(self, params: Any) -> None:
        """Write the options into a library's parameters."""
        params.imgIds = list(range(1, self.num_images + 1))
        params.catIds = list(range(1, self.num_categories + 1))
        params.maxDets = list(self.max_dets)
        params.useCats = int(not self.class_agnostic)
        if self.thresholds is not None:
            params.iouThrs = self.thresholds

    def document(self, rows: Rows) -> dict[str, Any]:
        """The rows as a COCO json has them."""
        return {
            "images": [
                {"id": i, "width": _PIXELS, "height": _PIXELS}
                for i in range(1, self.num_images + 1)
            ],
            "categories": [{"id": i, "name": str(i)} for i in range(1, self.num_categories + 1)],
            "annotations": rows.records(),
        }


class ArrayCocoEval(COCOeval):
    """pycocotools' evaluation of records that are there already, with no index to build.

    Pairs of an image and a category that hold nothing, nearly all of them in a large data set, are
    not looked at.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(None, None, task.iou_type)
        self.task = task
        task.settle(self.params)

    def _prepare(self) -> None:
        self._gts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        self._dts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for target, rows in ((self._gts, self.task.truths), (self._dts, self.task.detections)):
            for record in rows.records():
                record["ignore"] = record["iscrowd"]
                target[record["image_id"], record["category_id"]].append(record)
        self.evalImgs: Any = []
        self.eval: dict[str, Any] = {}

    def evaluate(self) -> None:
        """Match detections with objects, image by image."""
        params = self.params
        self._paramsEval = params
        self._prepare()
        categories = params.catIds if params.useCats else [-1]
        pairs = sorted({*self._gts, *self._dts}, key=lambda pair: (pair[1], pair[0]))
        if not params.useCats:
            pairs = [(image, -1) for image in sorted({image for image, _ in pairs})]
        self.ious = {pair: self.computeIoU(*pair) for pair in pairs}
        count_areas, count_images = len(params.areaRng), len(params.imgIds)
        self.evalImgs = [None] * (len(categories) * count_areas * count_images)
        for image, category in pairs:
            label = category - 1 if params.useCats else 0
            for k, area in enumerate(params.areaRng):
                place = (label * count_areas + k) * count_images + image - 1
                self.evalImgs[place] = self.evaluateImg(image, category, area, params.maxDets[-1])

    def count(self) -> Arrays:
        """Evaluate and accumulate."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.evaluate()
            self.accumulate()
        return self.eval["precision"], self.eval["recall"]


def _by_pycocotools(task: Task) -> Arrays:
    return ArrayCocoEval(task).count()


def _by_faster_coco_eval(task: Task) -> Arrays:
    library = requires("faster_coco_eval", extra="eval", distribution="detcore")
    truths, detections = (
        library.COCO(task.document(rows)) for rows in (task.truths, task.detections)
    )
    counter = library.COCOeval_faster(truths, detections, task.iou_type, print_function=_silent)
    task.settle(counter.params)
    counter.evaluate()
    counter.accumulate()
    return counter.eval["precision"], counter.eval["recall"]


def _by_hotcoco(task: Task) -> Arrays:
    library = requires("hotcoco", extra="eval", distribution="detcore")
    truths, detections = (
        library.COCO(task.document(rows)) for rows in (task.truths, task.detections)
    )
    counter = library.COCOeval(truths, detections, task.iou_type)
    params = counter.params
    task.settle(params)
    counter.params = params
    with contextlib.redirect_stdout(io.StringIO()):
        counter.evaluate()
        counter.accumulate()
    return np.asarray(counter.eval["precision"]), np.asarray(counter.eval["recall"])


def _silent(*_: object) -> None:
    """The library's own progress lines say nothing that the log needs."""


_COUNTERS: Mapping[str, Callable[[Task], Arrays]] = {
    "hotcoco": _by_hotcoco,
    "faster_coco_eval": _by_faster_coco_eval,
    "pycocotools": _by_pycocotools,
}


@cache
def installed_backend() -> str:
    """The fastest counting library that is installed."""
    return next(name for name in _COUNTERS if importlib.util.find_spec(name) is not None)


def count_matches(task: Task, backend: str = "auto") -> Arrays:
    """Precision and recall arrays of a task; -1 where no object of that kind exists.

    Args:
        task: What is to be counted.
        backend: One of `BACKENDS`.

    Raises:
        MissingExtraError: The library that is named is not installed.
    """
    check_option("count_matches", "backend", backend, BACKENDS)
    return _COUNTERS[installed_backend() if backend == "auto" else backend](task)
