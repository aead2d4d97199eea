"""Precision and recall by COCO's rules, counted by whichever library is installed.

hotcoco (the extra ``eval``) and faster-coco-eval count what pycocotools counts, many times as fast.
All are given the same numbers and give the same arrays.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from cvcore.errors import MissingExtraError, requires
from detcore.errors import check_option
from detcore.evaluation.coco_matching import count_pairs
from detcore.evaluation.coco_rows import Arrays, Task

BACKENDS = ("auto", "hotcoco", "faster_coco_eval", "pycocotools")


def _by_pycocotools(task: Task) -> Arrays:
    return count_pairs(task)


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
    if not hasattr(library.COCO, "from_arrays"):  # came with columns for update_anns
        raise MissingExtraError(
            f"hotcoco {library.__version__} is too old, 1.2 is needed; get it with: "
            "pip install -U 'detcore[eval]'"
        )
    rows = task.detections
    truths = library.COCO(task.document(task.truths))
    detections = truths.load_res(rows.table(), segmentation=rows.masks)
    detections.update_anns(ids=np.arange(1, len(rows.boxes) + 1), area=rows.areas)
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
        MissingExtraError: The library that is named is not installed, or too old.
    """
    check_option("count_matches", "backend", backend, BACKENDS)
    return _COUNTERS[installed_backend() if backend == "auto" else backend](task)
