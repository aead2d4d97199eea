"""Figures against pycocotools' own run on the same objects."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvcore.errors import MissingExtraError
from detcore.evaluation import CocoObjects, evaluate_coco

IMAGES = list(range(1, 21))
SIDE = 600  # pixels
CATEGORIES = [7, 3, 5]  # labels 0, 1, 2; not in ascending order


def drawn(seed: int = 0, number: int = 120) -> tuple[CocoObjects, CocoObjects]:
    """Objects, some of them crowds, and detections that are moved and doubled versions of them."""
    draw = np.random.default_rng(seed)
    corners = draw.uniform(0, 300, (number, 2))
    sizes = np.exp(draw.uniform(np.log(8), np.log(250), (number, 2)))
    images, categories = draw.choice(IMAGES, number), draw.choice(CATEGORIES, number)
    truths = CocoObjects(
        image_ids=images.tolist(),
        category_ids=categories.tolist(),
        boxes=np.hstack([corners, sizes]),
        areas=sizes.prod(1),
        crowd=draw.random(number) < 0.1,
    )
    boxes = np.repeat(truths.boxes, 2, axis=0)
    boxes += draw.normal(0, 0.08, boxes.shape) * np.tile(boxes[:, 2:], 2)
    detections = CocoObjects(
        image_ids=np.repeat(images, 2).tolist(),
        category_ids=np.repeat(categories, 2).tolist(),
        boxes=boxes,
        areas=boxes[:, 2:].prod(1),
        scores=draw.random(2 * number),
    )
    return truths, detections


@pytest.mark.parametrize("class_agnostic", [False, True])
def test_the_twelve_figures_are_those_of_pycocotools(class_agnostic: bool) -> None:
    truths, detections = drawn()
    found = evaluate_coco(
        truths,
        detections,
        IMAGES,
        CATEGORIES,
        proposal_nums=(1, 10, 100),
        class_agnostic=class_agnostic,
    )
    expected = by_pycocotools_itself(truths, detections, "bbox", class_agnostic)
    np.testing.assert_allclose(found.stats(), expected.stats, atol=1e-12)
    assert 0.2 < found.stats()[0] < 0.9


def by_pycocotools_itself(
    truths: CocoObjects, detections: CocoObjects, iou_type: str, class_agnostic: bool = False
) -> COCOeval:
    """COCOeval over COCO objects, as any user of pycocotools runs it."""
    with contextlib.redirect_stdout(io.StringIO()):
        source, answer = COCO(), COCO()
        images = [{"id": i, "width": SIDE, "height": SIDE} for i in IMAGES]
        categories = [{"id": c} for c in CATEGORIES]
        for api, objects in ((source, truths), (answer, detections)):
            annotations = records(objects)
            api.dataset = {"images": images, "categories": categories, "annotations": annotations}
            api.createIndex()
        expected = COCOeval(source, answer, iou_type)
        expected.params.useCats = int(not class_agnostic)
        expected.evaluate()
        expected.accumulate()
        expected.summarize()
    return expected


def records(objects: CocoObjects) -> list[dict[str, Any]]:
    crowd = np.zeros(len(objects)) if objects.crowd is None else objects.crowd
    found = []
    for i in range(len(objects)):
        record = {
            "id": i + 1,
            "image_id": objects.image_ids[i],
            "category_id": objects.category_ids[i],
            "bbox": objects.boxes[i].tolist(),
            "area": float(objects.areas[i]),
            "iscrowd": int(crowd[i]),
        }
        if objects.scores is not None:
            record["score"] = float(objects.scores[i])
        if objects.masks is not None:
            record["segmentation"] = objects.masks[i]
        found.append(record)
    return found


def with_masks(objects: CocoObjects) -> CocoObjects:
    """The boxes as filled masks on a grid of SIDE pixels."""
    masks = []
    for x, y, width, height in objects.boxes.tolist():
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8, order="F")
        left, top = max(int(x), 0), max(int(y), 0)
        mask[top : int(y + height), left : int(x + width)] = 1
        masks.append(rle.encode(mask))
    areas = np.array([float(rle.area(mask)) for mask in masks])
    return replace(objects, masks=masks, areas=areas)


BACKENDS = ("pycocotools", "faster_coco_eval", "hotcoco")


@pytest.mark.slow
def test_E9_every_counting_library_gives_the_figures_of_pycocotools_itself() -> None:  # noqa: N802
    for backend in BACKENDS:
        pytest.importorskip(backend)
    order = np.argsort(CATEGORIES)  # pycocotools has categories in the order of their ids
    for seed in range(500):
        truths, detections = drawn(seed, number=30)
        class_agnostic = seed % 5 == 0
        expected = by_pycocotools_itself(truths, detections, "bbox", class_agnostic)
        for backend in BACKENDS:
            found = evaluate_coco(
                truths,
                detections,
                IMAGES,
                CATEGORIES,
                proposal_nums=(1, 10, 100),
                class_agnostic=class_agnostic,
                backend=backend,
            )
            case = f"{backend}, seed {seed}"
            np.testing.assert_allclose(found.stats(), expected.stats, atol=1e-6, err_msg=case)
            if not class_agnostic:
                precision = found.precision[:, :, order]
                np.testing.assert_allclose(
                    precision, expected.eval["precision"], atol=1e-6, err_msg=case
                )


@pytest.mark.parametrize("backend", BACKENDS)
def test_E9_masks_too(backend: str) -> None:  # noqa: N802
    pytest.importorskip(backend)
    for seed in range(3):
        truths, detections = (with_masks(objects) for objects in drawn(seed, number=40))
        options = {"iou_type": "segm", "proposal_nums": (1, 10, 100), "backend": backend}
        found = evaluate_coco(truths, detections, IMAGES, CATEGORIES, **options)
        expected = by_pycocotools_itself(truths, detections, "segm")
        np.testing.assert_allclose(found.stats(), expected.stats, atol=1e-6)
        assert found.stats()[0] > 0.1


@pytest.mark.parametrize("backend", BACKENDS)
def test_areas_are_those_given_whatever_the_boxes(backend: str) -> None:
    pytest.importorskip(backend)
    truths, detections = (replace(each, areas=np.full(len(each), 50.0)) for each in drawn())
    found = evaluate_coco(truths, detections, IMAGES, CATEGORIES, backend=backend)
    assert found.average_precision(area="small") == found.average_precision() > 0.2
    assert found.average_precision(area="large") == -1


def test_a_hotcoco_that_is_too_old_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(COCO=object, __version__="1.1.0")
    monkeypatch.setitem(sys.modules, "hotcoco", old)
    with pytest.raises(MissingExtraError, match=r"hotcoco 1\.1\.0 is too old, 1\.2 is needed"):
        evaluate_coco(*drawn(), IMAGES, CATEGORIES, backend="hotcoco")


def test_ids_may_be_texts_and_images_without_anything_count() -> None:
    truths, detections = drawn()
    plain = evaluate_coco(truths, detections, IMAGES, CATEGORIES)
    named_truths, named_detections = (
        replace(
            objects,
            image_ids=[f"image {i:02d}" for i in objects.image_ids],
            category_ids=[f"class {c}" for c in objects.category_ids],
        )
        for objects in (truths, detections)
    )
    named = evaluate_coco(
        named_truths,
        named_detections,
        [*(f"image {i:02d}" for i in IMAGES), "empty"],
        [f"class {c}" for c in CATEGORIES],
    )
    assert named.stats() == pytest.approx(plain.stats())


def test_categories_come_in_the_order_of_the_labels() -> None:
    truths, detections = drawn()
    whole = evaluate_coco(truths, detections, IMAGES, CATEGORIES)
    for label, category in enumerate(CATEGORIES):
        alone = evaluate_coco(truths, detections, IMAGES, [category])
        assert whole.average_precision(category=label) == pytest.approx(alone.average_precision())


def test_figures_can_be_narrowed_down() -> None:
    truths, detections = drawn()
    found = evaluate_coco(truths, detections, IMAGES, CATEGORIES, iou_thrs=[0.5, 0.9])
    halves = [found.average_precision(threshold) for threshold in (0.5, 0.9)]
    assert halves[0] > halves[1]
    assert found.average_precision() == pytest.approx(np.mean(halves))
    assert found.average_precision(0.75) == -1  # was not asked for
    assert found.average_recall(max_dets=1000) >= found.average_recall(max_dets=100)


def test_the_summary_has_twelve_lines_of_the_usual_form() -> None:
    truths, detections = drawn()
    lines = evaluate_coco(truths, detections, IMAGES, CATEGORIES).summary().splitlines()
    assert len(lines) == 12
    assert lines[0].startswith(
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0."
    )
    assert " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=1000 ]" in lines[9]


def test_images_without_objects_or_detections_are_fine() -> None:
    none = CocoObjects([], [], np.zeros((0, 4)), np.zeros(0))
    found = evaluate_coco(none, none, [1], [1])
    assert found.stats() == [-1.0] * 12
