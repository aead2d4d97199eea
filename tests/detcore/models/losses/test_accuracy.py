"""Accuracy in percent."""

from __future__ import annotations

import torch

from detcore.models.losses import Accuracy, accuracy

SCORES = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.4, 0.35, 0.25]])
TARGET = torch.tensor([1, 1, 0, 0])


def test_the_best_score_counts() -> None:
    assert accuracy(SCORES, TARGET).tolist() == [50]


def test_the_best_two_scores_count() -> None:
    first, second = accuracy(SCORES, TARGET, topk=(1, 2))
    assert (first.item(), second.item()) == (50, 100)


def test_a_score_at_the_threshold_does_not_count() -> None:
    assert accuracy(SCORES, TARGET, thresh=0.4).tolist() == [25]


def test_without_samples_it_is_zero() -> None:
    assert accuracy(SCORES[:0], TARGET[:0]).item() == 0
    assert [each.item() for each in accuracy(SCORES[:0], TARGET[:0], topk=(1, 2))] == [0, 0]


def test_the_module_says_the_same() -> None:
    assert [each.item() for each in Accuracy()(SCORES, TARGET)] == [50]
