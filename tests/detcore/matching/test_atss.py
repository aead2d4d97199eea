"""Adaptive training sample selection, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from detcore.boxes import bbox_overlaps
from detcore.errors import OptionError
from detcore.matching import ATSSAssigner


def random_boxes(count: int, seed: int, size: float) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    centre = torch.rand(count, 2, generator=draw) * 100
    half = size * (0.5 + torch.rand(count, 2, generator=draw))
    return torch.cat([centre - half, centre + half], dim=1)


def by_the_definition(topk: int, priors: Tensor, levels: list[int], objects: Tensor) -> list[int]:
    """Object by object: candidates, threshold, centre inside; then the best object a prior."""
    overlaps = bbox_overlaps(priors, objects)
    centres = (priors[:, :2] + priors[:, 2:]) / 2
    won: list[tuple[float, int]] = [(-1.0, -1)] * len(priors)
    for i, box in enumerate(objects):
        middle = (box[:2] + box[2:]) / 2
        distance = (centres - middle).norm(dim=1)
        candidates: list[int] = []
        start = 0
        for count in levels:
            order = sorted(range(start, start + count), key=lambda j: distance[j].item())
            candidates += order[:topk]
            start += count
        measured = overlaps[candidates, i]
        threshold = measured.mean() + measured.std()
        for j in candidates:
            left, top = centres[j] - box[:2]
            right, bottom = box[2:] - centres[j]
            inside = min(left, top, right, bottom) > 0.01
            if inside and overlaps[j, i] >= threshold and overlaps[j, i].item() > won[j][0]:
                won[j] = (overlaps[j, i].item(), i)
    return [i + 1 for _, i in won]


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_definition(seed: int) -> None:
    levels = [60, 30, 10]
    priors = torch.cat(
        [random_boxes(count, seed * 10 + k, 5.0 * 2**k) for k, count in enumerate(levels)]
    )
    objects = random_boxes(6, seed + 1000, 14.0)
    result = ATSSAssigner(topk=4).assign(priors, levels, objects, gt_labels=torch.arange(6))
    assert result.gt_inds.tolist() == by_the_definition(4, priors, levels, objects)
    assert (result.gt_inds > 0).any()
    assert torch.equal(result.labels, result.gt_inds - 1)


def test_a_level_with_fewer_priors_than_topk_gives_all_of_them() -> None:
    objects = torch.tensor([[0.0, 0, 10, 10]])
    priors = torch.tensor([[0.0, 0, 10, 10], [2.0, 2, 4, 4], [0.0, 0, 9, 9]])
    result = ATSSAssigner(topk=9).assign(priors, [2, 1], objects)
    # overlaps 1, 0.04, 0.81: mean 0.617, deviation 0.509, so 1.126 is reached by none
    assert result.gt_inds.tolist() == [0, 0, 0]
    apart = torch.tensor([[0.0, 0, 10, 10], *[[90.0, 90, 91, 91]] * 4])
    # overlaps 1 and four times 0: mean 0.2, deviation 0.447
    assert ATSSAssigner(topk=9).assign(apart, [5], objects).gt_inds.tolist() == [1, 0, 0, 0, 0]


def test_priors_inside_a_crowd_do_not_train() -> None:
    objects = torch.tensor([[0.0, 0, 10, 10]])
    priors = torch.tensor([[0.0, 0, 10, 10], *[[90.0, 90, 91, 91]] * 4])
    crowd = torch.tensor([[80.0, 80, 100, 100]])
    result = ATSSAssigner(topk=9, ignore_iof_thr=0.5).assign(priors, [5], objects, crowd)
    assert result.gt_inds.tolist() == [1, -1, -1, -1, -1]


def test_without_objects_all_is_background() -> None:
    priors = random_boxes(5, 0, 4.0)
    labels = torch.zeros(0, dtype=torch.long)
    result = ATSSAssigner(9).assign(priors, [5], priors[:0], gt_labels=labels)
    assert result.gt_inds.tolist() == [0] * 5
    assert result.labels.tolist() == [-1] * 5


class TestWithPredictions:
    objects = torch.tensor([[0.0, 0, 10, 10]])
    priors = torch.tensor([*[[1.0, 1, 9, 9]] * 2, *[[90.0, 90, 91, 91]] * 6])
    labels = torch.tensor([1])

    def test_the_measure_is_of_score_and_predicted_overlap(self) -> None:
        predicted = self.priors.clone()
        predicted[1] = self.objects[0]
        scores = torch.zeros(8, 3)
        result = ATSSAssigner(9, alpha=0.8).assign(
            self.priors, [8], self.objects, None, self.labels, scores, predicted
        )
        # 0.5 ** 0.2 * overlap ** 0.8: 0.609 and 0.871, elsewhere 0; mean 0.185, deviation 0.349
        assert result.gt_inds.tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
        assert result.max_overlaps[1].item() == pytest.approx(0.5**0.2)
        scores[0, 1] = -20.0
        result = ATSSAssigner(9, alpha=0.8).assign(
            self.priors, [8], self.objects, None, self.labels, scores, predicted
        )
        assert result.gt_inds.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]

    def test_predictions_and_alpha_belong_together(self) -> None:
        with pytest.raises(OptionError, match="leave out alpha"):
            ATSSAssigner(9, alpha=0.8).assign(self.priors, [8], self.objects)
        with pytest.warns(UserWarning, match="only with alpha"):
            ATSSAssigner(9).assign(self.priors, [8], self.objects, cls_scores=torch.zeros(8, 3))
