"""Matching by overlap against a plain loop over its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from detcore.boxes import bbox_overlaps
from detcore.errors import OptionError
from detcore.matching import ApproxMaxIoUAssigner, MaxIoUAssigner
from detcore.registries import BBOX_ASSIGNERS

OBJECTS = torch.tensor([[0.0, 0, 10, 10], [20.0, 20, 30, 30]])
PRIORS = torch.tensor(
    [
        [0.0, 0, 10, 9],  # 0.9 of the first object
        [0.0, 0, 10, 4],  # 0.4 of it
        [20.0, 20, 26, 30],  # 0.6 of the second
        [50.0, 50, 60, 60],  # nothing
    ]
)
LABELS = torch.tensor([7, 3])


def random_boxes(count: int, draw: torch.Generator) -> Tensor:
    """Boxes with corners on a coarse grid, so that equal overlaps are common."""
    corner = torch.randint(0, 6, (count, 2), generator=draw).float()
    return torch.cat([corner, corner + torch.randint(1, 5, (count, 2), generator=draw)], dim=1)


def by_the_definition(assigner: MaxIoUAssigner, overlaps: Tensor) -> list[int]:
    """Walk over priors, then over objects, as the definition is usually told."""
    low, high = (
        (0.0, assigner.neg_iou_thr)
        if isinstance(assigner.neg_iou_thr, float)
        else assigner.neg_iou_thr
    )
    rows = overlaps.tolist()
    num_gts, num_priors = overlaps.shape
    matched = []
    for j in range(num_priors):
        column = [rows[i][j] for i in range(num_gts)]
        best = max(column)
        if best >= assigner.pos_iou_thr:
            matched.append(column.index(best) + 1)
        elif low <= best < high:
            matched.append(0)
        else:
            matched.append(-1)
    if assigner.match_low_quality:
        for i in range(num_gts):
            best = max(rows[i])
            if best < assigner.min_pos_iou:
                continue
            for j in range(num_priors):
                if rows[i][j] == best:
                    matched[j] = i + 1
                    if not assigner.gt_max_assign_all:
                        break
    return matched


def test_high_overlap_is_positive_low_is_background_and_between_is_neither() -> None:
    assigner = MaxIoUAssigner(pos_iou_thr=0.7, neg_iou_thr=0.3, match_low_quality=False)
    result = assigner.assign(PRIORS, OBJECTS, gt_labels=LABELS)
    assert result.gt_inds.tolist() == [1, -1, -1, 0]
    assert result.labels.tolist() == [7, -1, -1, -1]
    torch.testing.assert_close(result.max_overlaps, torch.tensor([0.9, 0.4, 0.6, 0.0]))
    assert result.num_gts == 2


def test_an_object_takes_its_best_prior_if_they_overlap_enough() -> None:
    taking = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.3)
    assert taking.assign(PRIORS, OBJECTS).gt_inds.tolist() == [1, -1, 2, 0]
    refusing = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.65)
    assert refusing.assign(PRIORS, OBJECTS).gt_inds.tolist() == [1, -1, -1, 0]


def test_background_may_have_a_least_overlap() -> None:
    assigner = MaxIoUAssigner(0.7, (0.1, 0.5), match_low_quality=False)
    assert assigner.assign(PRIORS, OBJECTS).gt_inds.tolist() == [1, 0, -1, -1]


def test_an_object_takes_all_its_equal_priors_or_the_first() -> None:
    twins = torch.tensor([[0.0, 0, 10, 4], [0.0, 6, 10, 10], [40.0, 40, 41, 41]])
    objects = OBJECTS[:1]
    everyone = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.1)
    assert everyone.assign(twins, objects).gt_inds.tolist() == [1, 1, 0]
    first = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.1, gt_max_assign_all=False)
    assert first.assign(twins, objects).gt_inds.tolist() == [1, -1, 0]


def test_of_two_objects_with_one_best_prior_the_last_takes_it() -> None:
    objects = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 9]])
    prior = torch.tensor([[0.0, 0, 10, 10.0]])
    assigner = MaxIoUAssigner(0.7, 0.3)
    assert assigner.assign(prior, objects).gt_inds.tolist() == [2]
    keeping = MaxIoUAssigner(0.7, 0.3, match_low_quality=False)
    assert keeping.assign(prior, objects).gt_inds.tolist() == [1]


def test_priors_inside_a_crowd_are_neither() -> None:
    crowd = torch.tensor([[40.0, 40, 100, 100]])
    assigner = MaxIoUAssigner(0.7, 0.3, ignore_iof_thr=0.5)
    assert assigner.assign(PRIORS, OBJECTS, crowd).gt_inds.tolist() == [1, -1, 2, -1]
    # Of the crowd itself, 100 of 3600 pixels lie in the prior.
    of_crowd = MaxIoUAssigner(0.7, 0.3, ignore_iof_thr=0.5, ignore_wrt_candidates=False)
    assert of_crowd.assign(PRIORS, OBJECTS, crowd).gt_inds.tolist() == [1, -1, 2, 0]
    unaware = MaxIoUAssigner(0.7, 0.3)
    assert unaware.assign(PRIORS, OBJECTS, crowd).gt_inds.tolist() == [1, -1, 2, 0]


def test_without_objects_all_is_background() -> None:
    result = MaxIoUAssigner(0.7, 0.3).assign(PRIORS, OBJECTS[:0], gt_labels=LABELS[:0])
    assert result.gt_inds.tolist() == [0, 0, 0, 0]
    assert result.labels.tolist() == [-1, -1, -1, -1]
    assert result.max_overlaps.tolist() == [0, 0, 0, 0]


def test_without_priors_the_result_is_empty() -> None:
    result = MaxIoUAssigner(0.7, 0.3).assign(PRIORS[:0], OBJECTS)
    assert (result.num_preds, result.num_gts) == (0, 2)
    assert result.labels is None


OPTIONS: list[dict[str, Any]] = [
    {"pos_iou_thr": 0.5, "neg_iou_thr": 0.4},
    {"pos_iou_thr": 0.5, "neg_iou_thr": (0.1, 0.5), "min_pos_iou": 0.2},
    {"pos_iou_thr": 0.7, "neg_iou_thr": 0.3, "min_pos_iou": 0.3, "gt_max_assign_all": False},
    {"pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "match_low_quality": False},
]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 40), st.integers(0, 10**6))
@pytest.mark.parametrize("options", OPTIONS)
def test_it_is_the_definition(
    options: dict[str, Any], num_gts: int, num_priors: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    objects, priors = random_boxes(num_gts, draw), random_boxes(num_priors, draw)
    assigner = MaxIoUAssigner(**options)
    expected = by_the_definition(assigner, bbox_overlaps(objects, priors))
    assert assigner.assign(priors, objects).gt_inds.tolist() == expected
    overlaps = bbox_overlaps(objects, priors)
    assert assigner.assign_wrt_overlaps(overlaps).gt_inds.tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 60), st.integers(1, 40), st.integers(0, 10**6))
@pytest.mark.parametrize("options", [{**each, "ignore_iof_thr": 0.6} for each in OPTIONS])
def test_looking_at_a_few_priors_at_a_time_changes_nothing(
    options: dict[str, Any], num_gts: int, num_priors: int, at_once: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    objects, priors = random_boxes(num_gts, draw), random_boxes(num_priors, draw)
    crowds = random_boxes(2, draw)
    labels = torch.arange(num_gts)
    whole, piecewise = MaxIoUAssigner(**options), MaxIoUAssigner(**options)
    piecewise.pairs_at_once = at_once
    first = whole.assign(priors, objects, crowds, labels)
    second = piecewise.assign(priors, objects, crowds, labels)
    assert torch.equal(first.gt_inds, second.gt_inds)
    assert torch.equal(first.max_overlaps, second.max_overlaps)
    assert torch.equal(first.labels, second.labels)


def test_thousands_of_objects_never_meet_all_priors_at_once() -> None:
    seen = []

    def overlaps(first: Tensor, second: Tensor, mode: str = "iou") -> Tensor:
        seen.append(len(first) * len(second))
        return bbox_overlaps(first, second, mode)

    draw = torch.Generator().manual_seed(0)
    objects, priors = random_boxes(300, draw), random_boxes(2000, draw)
    assigner = MaxIoUAssigner(0.7, 0.3, iou_calculator=overlaps)
    assigner.pairs_at_once = 30_000
    assigner.assign(priors, objects)
    assert max(seen) <= 30_000
    assert len(seen) > 20


def test_the_overlap_is_measured_with_the_part_that_the_config_names() -> None:
    assigner = BBOX_ASSIGNERS.build(
        {
            "type": "MaxIoUAssigner",
            "pos_iou_thr": 0.7,
            "neg_iou_thr": 0.3,
            "gpu_assign_thr": 1,
            "iou_calculator": {"type": "BboxOverlaps2D", "dtype": "fp16"},
        }
    )
    assert assigner.assign(PRIORS, OBJECTS).gt_inds.tolist() == [1, -1, 2, 0]


def test_a_range_of_another_length_than_two_is_refused() -> None:
    with pytest.raises(OptionError, match="neg_iou_thr"):
        MaxIoUAssigner(0.7, (0.1, 0.2, 0.3))  # type: ignore[arg-type]


class TestApprox:
    # Two boxes for every square: the second square's second box is the object itself.
    squares = torch.tensor([[0.0, 0, 4, 4], [18.0, 18, 32, 32]])
    boxes = torch.tensor([[0.0, 0, 4, 2], [0.0, 0, 2, 4], [0.0, 0, 1, 1], [20.0, 20, 30, 30]])
    assigner = ApproxMaxIoUAssigner(0.7, 0.3)

    def test_a_square_is_as_good_as_its_best_box(self) -> None:
        result = self.assigner.assign(self.boxes, self.squares, 2, OBJECTS[1:], None, LABELS[1:])
        assert result.gt_inds.tolist() == [0, 1]
        assert result.max_overlaps.tolist() == [0, 1]
        assert result.labels.tolist() == [-1, 3]

    def test_crowds_are_compared_with_the_square(self) -> None:
        assigner = ApproxMaxIoUAssigner(0.7, 0.3, ignore_iof_thr=0.5)
        crowd = torch.tensor([[0.0, 0, 3, 3]])  # 9 of the square's 16
        result = assigner.assign(self.boxes, self.squares, 2, OBJECTS[1:], crowd)
        assert result.gt_inds.tolist() == [-1, 1]

    def test_without_objects_all_is_background(self) -> None:
        result = self.assigner.assign(self.boxes, self.squares, 2, OBJECTS[:0])
        assert result.gt_inds.tolist() == [0, 0]

    def test_looking_at_a_few_squares_at_a_time_changes_nothing(self) -> None:
        draw = torch.Generator().manual_seed(3)
        squares, boxes = random_boxes(40, draw), random_boxes(120, draw)
        objects = random_boxes(6, draw)
        piecewise = ApproxMaxIoUAssigner(0.5, 0.4)
        piecewise.pairs_at_once = 50
        whole = ApproxMaxIoUAssigner(0.5, 0.4).assign(boxes, squares, 3, objects)
        assert torch.equal(piecewise.assign(boxes, squares, 3, objects).gt_inds, whole.gt_inds)
