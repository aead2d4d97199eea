"""The operators that engines do in their own way."""

from __future__ import annotations

import torch
from torch import library

from detcore.export.choose import Pool, suppress_batch
from detcore.export.operators import NOTHING, first, survives

BOXES = torch.tensor(
    [[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [0, 0, 10, 10]]
)  # the second covers nine tenths of the first, the last all of it


def test_a_box_survives_unless_a_better_one_of_its_image_covers_it() -> None:
    boxes = torch.stack([BOXES, BOXES])
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.1, 0.8, 0.7, NOTHING]])
    keep = survives(boxes, scores, 0.5)
    assert keep.tolist() == [[True, False, True, False], [False, True, True, False]]


def test_the_first_are_the_highest_and_empty_places_come_last() -> None:
    values, places = first(torch.tensor([[0.2, NOTHING, 0.9, 0.5], [NOTHING, 0.1, -1, -1]]), 2)
    torch.testing.assert_close(values, torch.tensor([[0.9, 0.5], [0.1, NOTHING]]))
    assert places[0].tolist() == [2, 3]
    assert places[1, 0] == 1


def test_the_operators_know_the_shapes_and_types_that_they_give() -> None:
    library.opcheck(survives, (BOXES[None], torch.tensor([[0.9, 0.8, 0.7, 0.6]]), 0.5))
    library.opcheck(first, (torch.tensor([[0.9, 0.8, NOTHING, 0.6]]), 2))


def test_classes_leave_each_other_alone_unless_told_otherwise() -> None:
    labels = torch.tensor([[0, 1, 0, 0]])
    pool = Pool(BOXES[None], torch.tensor([[0.9, 0.8, 0.7, 0.6]]), labels, labels)
    apart = suppress_batch(pool, {"type": "nms", "iou_threshold": 0.5}, 5)
    assert [round(score, 1) for score in apart.scores[0].tolist()] == [0.9, 0.8, 0.7, -1, -1]
    assert apart.labels[0, :3].tolist() == [0, 1, 0]
    torch.testing.assert_close(apart.boxes[0, :3], BOXES[:3])
    together = suppress_batch(pool, {"iou_threshold": 0.5, "class_agnostic": True}, 2)
    assert [round(score, 1) for score in together.scores[0].tolist()] == [0.9, 0.7]


def test_a_count_of_nothing_keeps_all_places() -> None:
    labels = torch.tensor([[0, 0, 0, 0]])
    pool = Pool(BOXES[None], torch.tensor([[0.9, 0.8, 0.7, 0.6]]), labels, labels)
    kept = suppress_batch(pool, {"iou_threshold": 0.95}, -1)
    # The last is the first once more; the second overlaps it by 0.9.
    assert [round(score, 1) for score in kept.scores[0].tolist()] == [0.9, 0.8, 0.7, -1]
