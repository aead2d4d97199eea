"""COCO's figures of many made-up detections."""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any

import numpy as np
from scripts.benchmark.probes.names import name_of

CLASSES = 80
LIBRARIES = ("hotcoco", "faster_coco_eval", "pycocotools")


def measure(
    package: str,
    ann_file: str,
    images: int,
    detections: int,
    backends: tuple[str, ...] | list[str] = (),
) -> dict[str, Any]:
    """Seconds of ``dataset.evaluate``, with each library asked for, the annotations read before.

    Args:
        package: Whose dataset evaluates.
        ann_file: From ``inputs.write_truth``, which draws the same boxes.
        images: In the file.
        detections: Of each image.
        backends: Libraries that count, ours only; those that are not installed are left out.
    """
    names = [f"class {i}" for i in range(CLASSES)]
    dataset = name_of(package, "datasets", "CocoDataset")(
        ann_file, [], classes=names, test_mode=True
    )
    results = detections_of(images, detections)
    if package == "mmdet":
        seconds, value = evaluate(dataset, results)
        return {"figures": {"seconds": seconds}, "agree": {"mAP": value}}
    figures, values = {}, []
    for backend in backends or LIBRARIES:
        with only(backend) as installed:
            if installed:
                figures[backend], value = evaluate(dataset, results)
                values.append(value)
    if max(values) - min(values) > 1e-3:
        raise ValueError(f"the libraries differ: {dict(zip(figures, values, strict=True))}")
    figures["seconds"] = figures["pycocotools"]
    return {"figures": figures, "agree": {"mAP": values[0]}}


def evaluate(dataset: Any, results: list[list[np.ndarray]]) -> tuple[float, float]:
    """Seconds and mAP."""
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        figures = dataset.evaluate(results, metric="bbox")
    return time.perf_counter() - begin, float(figures["bbox_mAP"])


@contextlib.contextmanager
def only(backend: str) -> Any:
    """Let detcore count with one library, as where no faster one is installed."""
    from importlib.util import find_spec

    from detcore.evaluation import coco_counting

    kept = coco_counting.installed_backend
    coco_counting.installed_backend = lambda: backend  # type: ignore[assignment]  # it is cached
    try:
        yield find_spec(backend) is not None
    finally:
        coco_counting.installed_backend = kept


def boxes_of(image: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) xyxy in 640 x 480 and labels (n,) of an image's objects."""
    draw = np.random.RandomState(image)
    sizes = draw.uniform(12, 200, (number, 2))
    corners = draw.uniform(0, 1, (number, 2)) * (np.array([640, 480]) - sizes)
    return np.concatenate([corners, corners + sizes], 1), draw.randint(0, CLASSES, number)


def detections_of(images: int, number: int, objects: int = 7) -> list[list[np.ndarray]]:
    """Of each image and class (n, 5): objects found with some error, and boxes of nothing."""
    results = []
    for image in range(images):
        truth, truth_labels = boxes_of(image, objects)
        draw = np.random.RandomState(image + 10_000_000)
        picks = draw.randint(0, objects, number)
        boxes = truth[picks] + draw.normal(0, 12, (number, 4))
        labels = np.where(draw.uniform(size=number) < 0.5, truth_labels[picks],
                          draw.randint(0, CLASSES, number))  # fmt: skip
        rows = np.concatenate([boxes, draw.uniform(size=(number, 1))], 1).astype(np.float32)
        results.append([rows[labels == label] for label in range(CLASSES)])
    return results
