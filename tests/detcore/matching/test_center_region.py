"""Matching by the middle of objects."""

from __future__ import annotations

import torch

from detcore.matching import CenterRegionAssigner

# One object of 20 x 20: its core of half the size runs from 5 to 15, its shadow from 2 to 18.
OBJECT = torch.tensor([[0.0, 0, 20, 20]])
LABELS = torch.tensor([4])


def pixels(*centres: tuple[float, float]) -> torch.Tensor:
    points = torch.tensor(centres)
    return torch.cat([points - 0.5, points + 0.5], dim=1)


def assigner(**options: object) -> CenterRegionAssigner:
    return CenterRegionAssigner(pos_scale=0.5, neg_scale=0.8, **options)  # type: ignore[arg-type]


def test_core_is_positive_shadow_does_not_train_and_the_rest_is_background() -> None:
    priors = pixels((10, 10), (3, 10), (1, 1), (40, 40))
    result = assigner().assign(priors, OBJECT, gt_labels=LABELS)
    assert result.gt_inds.tolist() == [1, 0, 0, 0]
    assert result.labels.tolist() == [4, -1, -1, -1]
    assert result.get_extra_property("shadowed_labels").tolist() == [[1, 4]]


def test_a_prior_must_reach_into_the_core_by_a_least_part() -> None:
    edge = pixels((4.6, 10))  # 4.1 to 5.1: a tenth lies in the core
    assert assigner().assign(edge, OBJECT).gt_inds.tolist() == [1]
    assert assigner(min_pos_iof=0.2).assign(edge, OBJECT).gt_inds.tolist() == [0]


def test_a_prior_belongs_to_the_smallest_object_and_shadows_the_others() -> None:
    objects = torch.tensor([[6.0, 6, 14, 14], [0.0, 0, 20, 20]])
    labels = torch.tensor([1, 2])
    result = assigner().assign(pixels((10, 10)), objects, gt_labels=labels)
    assert result.gt_inds.tolist() == [1]
    assert result.get_extra_property("shadowed_labels").tolist() == [[0, 2]]


def test_core_of_one_and_shadow_of_another_of_its_class_is_background_unless_asked() -> None:
    objects = torch.tensor([[6.0, 6, 14, 14], [0.0, 0, 20, 20]])
    labels = torch.tensor([2, 2])
    result = assigner().assign(pixels((10, 10)), objects, gt_labels=labels)
    assert result.gt_inds.tolist() == [0]
    assert result.labels.tolist() == [-1]
    assert result.get_extra_property("shadowed_labels").tolist() == [[0, 2]]
    result = assigner(foreground_dominate=True).assign(pixels((10, 10)), objects, gt_labels=labels)
    assert result.gt_inds.tolist() == [1]
    assert result.get_extra_property("shadowed_labels").tolist() == []


def test_the_middle_of_a_crowd_does_not_train() -> None:
    crowd = torch.tensor([[30.0, 30, 50, 50]])  # its half runs from 35 to 45
    result = assigner().assign(pixels((40, 40), (32, 32)), OBJECT, crowd, LABELS)
    assert result.gt_inds.tolist() == [-1, 0]


def test_without_objects_all_is_background() -> None:
    result = assigner().assign(pixels((1, 1)), OBJECT[:0], gt_labels=LABELS[:0])
    assert result.gt_inds.tolist() == [0]
    assert result.get_extra_property("shadowed_labels").shape == (0, 2)
    unlabelled = assigner().assign(pixels((1, 1)), OBJECT)
    assert unlabelled.labels is None
    assert unlabelled.get_extra_property("shadowed_labels") is None
