from __future__ import annotations

import pytest
import torch

from detcore.errors import OptionError
from detcore.models.heads.dense.postprocess import (
    Candidates,
    Selection,
    flat_maps,
    larger_than,
    pick_candidates,
    suppress,
)

NMS = {"type": "nms", "iou_threshold": 0.5}


def selection(**changes: object) -> Selection:
    return Selection.read({"nms": NMS, "max_per_img": 100, **changes}, "Head")


def test_the_threshold_is_exclusive_and_the_best_of_each_level_stay() -> None:
    scores = torch.tensor([[0.5, 0.9], [0.8, 0.05], [0.7, 0.6], [0.1, 0.2]])
    # Level 0 is rows 0 and 1, level 1 rows 2 and 3; pairs above 0.5: 0.9, 0.8 | 0.7, 0.6.
    found = pick_candidates(scores, (2, 2), selection(score_thr=0.5, nms_pre=1))
    assert found.index.tolist() == [0, 2]
    assert found.labels.tolist() == [1, 0]
    assert found.levels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_a_level_with_nothing_above_the_threshold_gives_nothing() -> None:
    scores = torch.tensor([[0.1], [0.9]])
    found = pick_candidates(scores, (1, 1), selection(score_thr=0.5, nms_pre=10))
    assert found.index.tolist() == [1]
    assert found.levels.tolist() == [1]


def test_without_threshold_and_limit_every_pair_is_a_candidate() -> None:
    found = pick_candidates(torch.rand(5, 2), (3, 2), selection())
    assert sorted(found.index.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_candidates_of_several_views_come_one_after_another() -> None:
    one = pick_candidates(torch.tensor([[0.3]]), (1,), selection())
    two = pick_candidates(torch.tensor([[0.4], [0.6]]), (2,), selection())
    assert Candidates.cat([one, two]).scores.tolist() == pytest.approx([0.3, 0.4, 0.6])
    assert two.where(torch.tensor([False, True])).scores.tolist() == pytest.approx([0.6])


def test_boxes_of_different_groups_leave_each_other_alone() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10]])
    scores = torch.tensor([0.5, 0.9, 0.7])
    kept = suppress(boxes, scores, torch.tensor([0, 0, 1]), selection())
    assert kept[2].tolist() == [1, 2]
    assert kept[1].tolist() == pytest.approx([0.9, 0.7])


def test_only_the_best_detections_of_an_image_stay() -> None:
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]])
    scores = torch.tensor([0.1, 0.3, 0.2])
    kept = suppress(boxes, scores, torch.zeros(3).long(), selection(max_per_img=2))
    assert kept[2].tolist() == [1, 2]


def test_nothing_in_nothing_out() -> None:
    boxes, scores, keep = suppress(
        torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long(), selection()
    )
    assert boxes.shape == (0, 4)
    assert len(scores) == len(keep) == 0


def test_both_sides_of_a_box_must_be_longer() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 5], [0, 0, 5, 5], [0, 0, 5, 4]])
    assert larger_than(boxes, 4).tolist() == [False, True, False]


def test_maps_are_laid_out_row_by_row_with_all_anchors_of_a_cell_together() -> None:
    # (1, A * C = 2 * 3, 1, 2): channel 3 * a + c at column x holds 10 * (3 * a + c) + x.
    maps = torch.arange(6)[None, :, None, None] * 10 + torch.arange(2)[None, None, None]
    flat = flat_maps([maps, maps[..., :1]], channels=3)
    assert flat.shape == (1, 6, 3)
    assert flat[0].tolist() == [
        [0, 10, 20],
        [30, 40, 50],
        [1, 11, 21],
        [31, 41, 51],
        [0, 10, 20],
        [30, 40, 50],
    ]


def test_names_of_old_are_understood_with_a_warning() -> None:
    with (
        pytest.warns(DeprecationWarning, match="nms_thr is the old name"),
        pytest.warns(DeprecationWarning, match="max_num is the old name"),
    ):
        old = Selection.read({"nms_thr": 0.7, "max_num": 5}, "RPNHead")
    assert old.nms == {"type": "nms", "iou_threshold": 0.7}
    assert old.max_per_img == 5


@pytest.mark.parametrize(
    ("cfg", "named"),
    [
        ({"nms": NMS, "max_num": 5, "max_per_img": 6}, "max_per_img"),
        ({"nms": NMS, "nms_thr": 0.7}, "nms_thr"),
        ({"nms": NMS, "nms_across_levels": True}, "nms_across_levels"),
        ({"max_per_img": 6}, "nms"),
    ],
)
def test_a_contradiction_or_a_gap_is_named(cfg: dict, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        Selection.read(cfg, "RPNHead")
