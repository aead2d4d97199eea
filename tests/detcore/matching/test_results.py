"""What assigners and samplers say."""

from __future__ import annotations

import torch

from detcore.matching import AssignResult, SamplingResult


def result_of(gt_inds: list[int], labels: list[int] | None = None) -> AssignResult:
    return AssignResult(
        2,
        torch.tensor(gt_inds),
        torch.linspace(0, 1, len(gt_inds)),
        None if labels is None else torch.tensor(labels),
    )


def test_objects_put_in_front_match_themselves() -> None:
    result = result_of([0, 2, -1], [-1, 5, -1])
    result.add_gt_(torch.tensor([3, 5]))
    assert result.gt_inds.tolist() == [1, 2, 0, 2, -1]
    assert result.labels.tolist() == [3, 5, -1, 5, -1]
    assert result.max_overlaps.tolist() == [1, 1, 0, 0.5, 1]
    assert result.num_preds == 5


def test_extra_properties_stand_beside_the_fields() -> None:
    result = result_of([0, 1])
    result.set_extra_property("cost", 3)
    assert result.get_extra_property("cost") == 3
    assert result.get_extra_property("other") is None
    assert result.info["cost"] == 3
    assert result.info["num_preds"] == 2
    assert repr(result) == "AssignResult(num_gts=2, num_preds=2, positive=1)"


def test_samples_know_their_objects() -> None:
    boxes = torch.arange(16.0).reshape(4, 4)
    objects = torch.arange(8.0).reshape(2, 4) + 100
    sampled = SamplingResult(
        torch.tensor([1, 3]),
        torch.tensor([0]),
        boxes,
        objects,
        result_of([0, 2, -1, 1], [-1, 5, -1, 3]),
        torch.tensor([0, 0, 0, 1], dtype=torch.uint8),
    )
    assert sampled.pos_assigned_gt_inds.tolist() == [1, 0]
    assert sampled.pos_gt_bboxes.tolist() == objects[[1, 0]].tolist()
    assert sampled.pos_gt_labels.tolist() == [5, 3]
    assert sampled.pos_is_gt.tolist() == [0, 1]
    assert sampled.bboxes.tolist() == boxes[[1, 3, 0]].tolist()
    assert sampled.info["num_gts"] == 2
    assert sampled.to("cpu") is sampled
    assert repr(sampled) == "SamplingResult(num_gts=2, positive=2, negative=1)"


def test_an_image_without_objects_has_only_negatives() -> None:
    nothing = torch.zeros(0, dtype=torch.long)
    sampled = SamplingResult(
        nothing,
        torch.tensor([0]),
        torch.zeros(1, 4),
        torch.zeros(0),
        AssignResult(0, torch.tensor([0]), torch.zeros(1)),
        torch.zeros(1, dtype=torch.uint8),
    )
    assert sampled.pos_gt_bboxes.shape == (0, 4)
    assert sampled.pos_gt_labels is None
