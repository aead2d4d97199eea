"""Figures against pycocotools' own run on the same objects."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detcore.evaluation import CocoObjects, evaluate_coco

IMAGES = list(range(1, 21))
CATEGORIES = [7, 3, 5]  # labels 0, 1, 2; not in ascending order


def drawn() -> tuple[CocoObjects, CocoObjects]:
    """Objects, some of them crowds, and detections that are moved and doubled versions of them."""
    draw = np.random.default_rng(0)
    number = 120
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
    with contextlib.redirect_stdout(io.StringIO()):
        source, answer = COCO(), COCO()
        images = [{"id": i} for i in IMAGES]
        categories = [{"id": c} for c in CATEGORIES]
        for api, objects in ((source, truths), (answer, detections)):
            annotations = objects.records()
            api.dataset = {"images": images, "categories": categories, "annotations": annotations}
            api.createIndex()
        expected = COCOeval(source, answer, "bbox")
        expected.params.useCats = int(not class_agnostic)
        expected.evaluate()
        expected.accumulate()
        expected.summarize()
    np.testing.assert_allclose(found.stats(), expected.stats, atol=1e-12)
    assert 0.2 < found.stats()[0] < 0.9


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
