"""Which priors train."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.boxes import DeltaXYWHBBoxCoder
from detcore.errors import OptionError
from detcore.matching import (
    AssignResult,
    IoUBalancedNegSampler,
    OHEMSampler,
    PseudoSampler,
    RandomSampler,
    ScoreHLRSampler,
    build_sampler,
)

OBJECTS = torch.tensor([[0.0, 0, 10, 10], [20.0, 20, 30, 30]])
LABELS = torch.tensor([1, 0])


def assigned(gt_inds: Tensor, overlaps: Tensor | None = None) -> AssignResult:
    labels = torch.where(gt_inds > 0, LABELS[(gt_inds - 1).clamp(min=0)], -1)
    overlaps = torch.zeros(len(gt_inds)) if overlaps is None else overlaps
    return AssignResult(2, gt_inds, overlaps, labels)


def boxes(count: int) -> Tensor:
    corner = torch.arange(count).float()[:, None].expand(count, 2)
    return torch.cat([corner, corner + 5], dim=1)


MANY = torch.tensor([1] * 30 + [2] * 10 + [0] * 50 + [-1] * 10)


class TestRandom:
    def test_positives_take_their_share_and_negatives_the_rest(self) -> None:
        sampler = RandomSampler(20, 0.25, add_gt_as_proposals=False)
        result = sampler.sample(assigned(MANY), boxes(100), OBJECTS)
        assert len(result.pos_inds) == 5
        assert len(result.neg_inds) == 15
        assert (MANY[result.pos_inds] > 0).all()
        assert (MANY[result.neg_inds] == 0).all()
        assert len(result.neg_inds.unique()) == 15

    def test_few_positives_leave_their_room_to_negatives(self) -> None:
        gt_inds = torch.tensor([1, 0, 0, 0, 0, -1])
        sampler = RandomSampler(4, 0.5, add_gt_as_proposals=False)
        result = sampler.sample(assigned(gt_inds), boxes(6), OBJECTS)
        assert result.pos_inds.tolist() == [0]
        assert len(result.neg_inds) == 3

    def test_negatives_may_be_bounded_by_positives(self) -> None:
        sampler = RandomSampler(60, 0.5, neg_pos_ub=2, add_gt_as_proposals=False)
        gt_inds = torch.tensor([1] * 3 + [0] * 50)
        assert len(sampler.sample(assigned(gt_inds), boxes(53), OBJECTS).neg_inds) == 6
        none = torch.tensor([0] * 50)
        assert len(sampler.sample(assigned(none), boxes(50), OBJECTS).neg_inds) == 2

    def test_one_seed_draws_one_sample(self) -> None:
        sampler = RandomSampler(20, 0.25, add_gt_as_proposals=False)
        drawn = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            drawn.append(sampler.sample(assigned(MANY), boxes(100), OBJECTS).neg_inds.tolist())
        assert drawn[0] == drawn[1]
        assert drawn[0] != drawn[2]

    def test_objects_join_the_priors(self) -> None:
        sampler = RandomSampler(10, 0.5)
        scored = torch.cat([boxes(3), torch.ones(3, 1)], dim=1)
        result = sampler.sample(assigned(torch.tensor([0, 0, 1])), scored, OBJECTS, LABELS)
        assert result.pos_inds.tolist() == [0, 1, 4]
        assert result.pos_is_gt.tolist() == [1, 1, 0]
        assert result.pos_bboxes[:2].tolist() == OBJECTS.tolist()
        assert result.pos_gt_labels.tolist() == [1, 0, 1]

    def test_objects_cannot_join_without_labels(self) -> None:
        with pytest.raises(OptionError, match="add_gt_as_proposals=False"):
            RandomSampler(10, 0.5).sample(assigned(torch.tensor([0])), boxes(1), OBJECTS)

    def test_an_image_without_objects_gives_negatives_only(self) -> None:
        result = RandomSampler(4, 0.5).sample(
            AssignResult(0, torch.zeros(6, dtype=torch.long), torch.zeros(6)),
            boxes(6),
            OBJECTS[:0],
            LABELS[:0],
        )
        assert len(result.pos_inds) == 0
        assert len(result.neg_inds) == 4


def test_the_pseudo_sampler_keeps_all_and_takes_others_settings() -> None:
    sampler = build_sampler({"type": "PseudoSampler", "num": 4, "pos_fraction": 0.5}, context=1)
    assert isinstance(sampler, PseudoSampler)
    result = sampler.sample(assigned(MANY), boxes(100), OBJECTS)
    assert len(result.pos_inds) == 40
    assert len(result.neg_inds) == 50
    assert not result.pos_is_gt.any()


def test_every_object_gets_about_as_many_positives() -> None:
    sampler = build_sampler(
        {"type": "InstanceBalancedPosSampler", "num": 16, "pos_fraction": 0.5},
        add_gt_as_proposals=False,
    )
    gt_inds = torch.tensor([1] * 90 + [2] * 4 + [0] * 20)
    for seed in range(5):
        torch.manual_seed(seed)
        result = sampler.sample(assigned(gt_inds), boxes(114), OBJECTS)
        drawn = gt_inds[result.pos_inds]
        # Five of the first and all four of the second, of which eight are kept.
        assert len(drawn) == 8
        assert (drawn == 2).sum() >= 3


def test_what_small_objects_lack_is_filled_from_the_others() -> None:
    sampler = build_sampler(
        {"type": "InstanceBalancedPosSampler", "num": 24, "pos_fraction": 0.5},
        add_gt_as_proposals=False,
    )
    gt_inds = torch.tensor([1] * 90 + [2] + [0] * 20)
    result = sampler.sample(assigned(gt_inds), boxes(111), OBJECTS)
    assert len(result.pos_inds) == 12
    assert (gt_inds[result.pos_inds] == 2).sum() == 1


class TestBalancedByOverlap:
    # 90 negatives of no overlap, and three each near 0.1, 0.3 and 0.5.
    overlaps = torch.cat([torch.zeros(90), torch.tensor([0.1, 0.3, 0.5]).repeat_interleave(3)])
    gt_inds = torch.zeros(99, dtype=torch.long)

    def sample(self, **options: Any) -> Tensor:
        sampler = IoUBalancedNegSampler(12, 0.5, add_gt_as_proposals=False, **options)
        torch.manual_seed(0)
        result = sampler.sample(assigned(self.gt_inds, self.overlaps), boxes(99), OBJECTS)
        assert len(result.neg_inds) == 12
        return self.overlaps[result.neg_inds]

    def test_bins_of_overlap_are_drawn_evenly(self) -> None:
        # Bins of 0.5 / 3; the greatest overlap itself is in none: 4 of 0 and 0.1, all three of
        # 0.3, and five that fill up.
        drawn = self.sample()
        assert (drawn == self.overlaps[93]).sum() == 3

    def test_a_floor_is_drawn_apart(self) -> None:
        drawn = self.sample(floor_thr=0, floor_fraction=0.5)
        assert (drawn == 0).sum() == 6
        drawn = self.sample(floor_thr=0.2, floor_fraction=0.75, num_bins=1)
        assert (drawn >= 0.2).sum() == 3
        drawn = self.sample(floor_thr=0.2, floor_fraction=0.0)
        assert (drawn >= 0.2).sum() == 6  # all there are

    def test_settings_out_of_range_are_refused(self) -> None:
        with pytest.raises(OptionError, match="at least one bin"):
            IoUBalancedNegSampler(12, 0.5, num_bins=0)


def test_two_samplers_share_what_they_are_not_told() -> None:
    sampler = build_sampler(
        {
            "type": "CombinedSampler",
            "num": 16,
            "pos_fraction": 0.25,
            "add_gt_as_proposals": False,
            "pos_sampler": {"type": "InstanceBalancedPosSampler"},
            "neg_sampler": {"type": "IoUBalancedNegSampler", "num_bins": 2},
        },
        context=None,
    )
    assert sampler.neg_sampler.num == 16
    assert sampler.neg_sampler.num_bins == 2
    result = sampler.sample(assigned(MANY), boxes(100), OBJECTS)
    assert len(result.pos_inds) == 4
    assert len(result.neg_inds) == 12


class BoxHead:
    """Scores written down in advance, one row a region."""

    num_classes = 2
    bbox_coder = DeltaXYWHBBoxCoder()

    def loss(
        self, cls_score: Tensor, labels: Tensor, rois: Tensor, **others: Any
    ) -> dict[str, Tensor]:
        assert rois.shape == (len(labels), 5)
        assert others["reduction_override"] == "none"
        return {"loss_cls": F.cross_entropy(cls_score, labels, reduction="none")}


class RoIHead:
    """A head that says of a region at x what ``scores[x]`` holds."""

    def __init__(self, scores: Tensor, classes: int = 1) -> None:
        self.scores = scores
        self.classes = classes
        self.bbox_head = BoxHead()

    def _bbox_forward(self, feats: Any, rois: Tensor) -> dict[str, Tensor]:
        assert rois.shape[1] == 5
        place = rois[:, 1].long()
        deltas = torch.zeros(len(rois), 4 * self.classes)
        return {"cls_score": self.scores[place], "bbox_pred": deltas}


class TestHardExamples:
    def test_the_costliest_of_each_kind_are_taken(self) -> None:
        gt_inds = torch.tensor([1, 1, 1, 0, 0, 0])
        scores = torch.zeros(6, 3)
        # Class 1 is right for the positives, class 2 for the negatives.
        scores[[1, 4], 0] = 9.0
        head = RoIHead(scores)
        sampler = OHEMSampler(2, 0.5, context=head, add_gt_as_proposals=False)
        result = sampler.sample(assigned(gt_inds), boxes(6), OBJECTS, LABELS, feats=None)
        assert result.pos_inds.tolist() == [1]
        assert result.neg_inds.tolist() == [4]

    def test_few_are_taken_without_asking(self) -> None:
        sampler = build_sampler(
            {"type": "OHEMSampler", "num": 8, "pos_fraction": 0.5, "add_gt_as_proposals": False},
            context=SimpleNamespace(bbox_head=BoxHead()),
        )
        gt_inds = torch.tensor([1, 0])
        result = sampler.sample(assigned(gt_inds), boxes(2), OBJECTS, feats=None)
        assert (result.pos_inds.tolist(), result.neg_inds.tolist()) == ([0], [1])

    def test_of_a_cascade_the_stage_at_work_is_asked(self) -> None:
        stages = [BoxHead(), BoxHead()]
        asked = []

        def say(stage: int, feats: Any, rois: Tensor) -> dict[str, Tensor]:
            asked.append(stage)
            return {"cls_score": torch.zeros(len(rois), 3)}

        head = SimpleNamespace(num_stages=2, current_stage=1, bbox_head=stages, _bbox_forward=say)
        sampler = OHEMSampler(2, 0.5, context=head, add_gt_as_proposals=False)
        assert sampler.bbox_head is stages[1]
        sampler.sample(assigned(torch.tensor([1, 1, 0, 0])), boxes(4), OBJECTS, feats=None)
        assert asked == [1, 1]


class TestRankedByScore:
    def sample(self, scores: Tensor, num: int, **options: Any) -> tuple[Tensor, Tensor]:
        sampler = ScoreHLRSampler(
            num, 0.5, context=RoIHead(scores), add_gt_as_proposals=False, **options
        )
        gt_inds = torch.zeros(len(scores), dtype=torch.long)
        apart = boxes(len(scores))
        apart[:, 2:] = apart[:, :2] + 1  # no two overlap: everyone is best of its neighbourhood
        result, weights = sampler.sample(assigned(gt_inds), apart, OBJECTS, LABELS, feats=None)
        assert weights is not None
        return result.neg_inds, weights

    def test_the_best_scored_come_first_with_weights_that_fall(self) -> None:
        scores = torch.tensor([[0.0, 0, 5], [3.0, 0, 0], [2.0, 0, 0], [1.0, 0, 0]])
        inds, weights = self.sample(scores, 3)
        assert inds.tolist() == [1, 2, 3]
        assert (weights[:-1] > weights[1:]).all()

    def test_weights_leave_the_sum_of_the_loss_as_it_is(self) -> None:
        scores = torch.tensor([[0.0, 0, 5], [3.0, 0, 0], [2.0, 0, 0], [1.0, 0, 0]])
        inds, weights = self.sample(scores, 3, k=1.0, bias=0.2)
        loss = F.cross_entropy(scores[inds], torch.full((3,), 2), reduction="none")
        torch.testing.assert_close((loss * weights).sum(), loss.sum())
        # Ranks 0 1 2 of the three that pass: 0.2 + 0.8 * (1, 2/3, 1/3)
        expected = torch.tensor([1.0, 2.2 / 3, 1.4 / 3])
        torch.testing.assert_close(weights / weights[0], expected)

    def test_the_unpromising_fill_up_with_the_least_weight(self) -> None:
        scores = torch.full((5, 3), -9.0)
        scores[:, 2] = 9.0
        scores[1, 0] = 12.0
        inds, weights = self.sample(scores, 3)
        assert inds[0] == 1
        assert len(inds.unique()) == 3
        assert (weights == weights[0]).all()

    def test_nothing_promising_is_drawn_at_random(self) -> None:
        scores = torch.full((5, 3), -9.0)
        scores[:, 2] = 9.0
        inds, weights = self.sample(scores, 3)
        assert len(inds.unique()) == 3
        assert weights.tolist() == [1, 1, 1]

    def test_the_second_of_a_neighbourhood_ranks_behind_the_first_of_another(self) -> None:
        scores = torch.tensor([[3.0, 0, 0], [2.5, 0, 0], [1.0, 0, 0]])
        sampler = ScoreHLRSampler(2, 0.5, context=RoIHead(scores), add_gt_as_proposals=False)
        places = torch.tensor([[0.0, 0, 10, 10], [1.0, 0, 10, 10], [2.0, 50, 10, 60]])
        result, _ = sampler.sample(
            assigned(torch.zeros(3, dtype=torch.long)), places, OBJECTS, LABELS, feats=None
        )
        assert result.neg_inds.tolist() == [0, 2]

    def test_without_negatives_there_are_no_weights(self) -> None:
        sampler = ScoreHLRSampler(
            2, 0.5, context=RoIHead(torch.zeros(1, 3)), add_gt_as_proposals=False
        )
        result, weights = sampler.sample(
            assigned(torch.tensor([1])), boxes(1), OBJECTS, LABELS, feats=None
        )
        assert weights is None
        assert result.pos_inds.tolist() == [0]
