"""Gradient harmonising: every bin of gradients weighs the same."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.models.losses import GHMC, GHMR


def bin_by_bin(gradient: Tensor, valid: Tensor, edges: Tensor, total: float) -> Tensor:
    """Weights as the paper tells them."""
    weights = torch.zeros_like(gradient)
    filled = 0
    for low, high in pairwise(edges):
        inside = (gradient >= low) & (gradient < high) & valid
        if inside.any():
            weights[inside] = total / inside.sum()
            filled += 1
    return weights / max(filled, 1)


@pytest.mark.parametrize("bins", [10, 3])
def test_classification_weighs_bins_alike(bins: int) -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 3, generator=draw) * 4
    labels = torch.randint(0, 4, (40,), generator=draw)  # 3 is background
    counts = (torch.rand(40, generator=draw) > 0.2).float()
    criterion = GHMC(bins=bins, loss_weight=2.0)
    target = F.one_hot(labels, 4)[:, :3].float()
    valid = counts[:, None].expand(40, 3) > 0
    total = valid.sum().item()
    weights = bin_by_bin((logits.sigmoid() - target).abs(), valid, criterion.edges, total)
    expected = 2 * F.binary_cross_entropy_with_logits(logits, target, weights, reduction="sum")
    torch.testing.assert_close(criterion(logits, labels, counts), expected / total)
    torch.testing.assert_close(
        criterion(logits, target, valid.float(), avg_factor=99), expected / total
    )


def test_a_gradient_of_one_belongs_to_the_last_bin() -> None:
    loss = GHMC(bins=2)(torch.tensor([[50.0]]), torch.tensor([[0.0]]), torch.ones(1, 1))
    assert loss.item() == pytest.approx(50)


def test_regression_weighs_bins_alike() -> None:
    draw = torch.Generator().manual_seed(1)
    pred, target = torch.randn(30, 4, generator=draw), torch.zeros(30, 4)
    weight = (torch.rand(30, 4, generator=draw) > 0.3).float()
    criterion = GHMR(mu=0.5, bins=5)
    length = (pred**2 + 0.25).sqrt()
    total = weight.sum().item()
    weights = bin_by_bin((pred / length).abs(), weight > 0, criterion.edges, total)
    expected = ((length - 0.5) * weights).sum() / total
    torch.testing.assert_close(criterion(pred, target, weight), expected)


def test_counts_are_remembered_and_saved() -> None:
    criterion = GHMC(bins=2, momentum=0.75)
    assert set(criterion.state_dict()) == {"edges", "acc_sum"}
    logits, target = torch.tensor([[-3.0], [-3.0], [3.0]]), torch.zeros(3, 1)
    ones = torch.ones(3, 1)
    criterion(logits, target, ones)
    # two easy and one hard, of which a quarter is remembered
    assert criterion.acc_sum.tolist() == [0.5, 0.25]
    loss = criterion(logits, target, ones, reduction_override="none")
    assert criterion.acc_sum.tolist() == [0.75 * 0.5 + 0.5, 0.75 * 0.25 + 0.25]
    # total over count, over two bins
    easy, hard = 3 / 0.875 / 2, 3 / 0.4375 / 2
    entropy = [math.log1p(math.exp(-3))] * 2 + [math.log1p(math.exp(3))]
    expected = torch.tensor([[easy * entropy[0]], [easy * entropy[1]], [hard * entropy[2]]])
    torch.testing.assert_close(loss, expected)


def test_an_empty_bin_keeps_what_it_remembers() -> None:
    criterion = GHMC(bins=2, momentum=0.5)
    ones = torch.ones(2, 1)
    criterion(torch.tensor([[-3.0], [3.0]]), torch.zeros(2, 1), ones)
    criterion(torch.tensor([[-3.0], [-3.0]]), torch.zeros(2, 1), ones)
    assert criterion.acc_sum.tolist() == [0.25 + 1, 0.5]


def test_what_does_not_count_costs_nothing() -> None:
    pred = torch.zeros(3, 2, requires_grad=True)
    loss = GHMC()(pred, torch.zeros(3, 2), torch.zeros(3, 2))
    loss.backward()
    assert loss.item() == 0
    assert GHMR()(torch.zeros(0, 4), torch.zeros(0, 4), torch.zeros(0, 4)).item() == 0


def test_bins_whose_edges_do_not_rise_are_counted_one_by_one() -> None:
    """Edges are part of a checkpoint; the last bin that has a sample weighs it."""
    generator = torch.Generator().manual_seed(0)
    loss = GHMC(bins=12, momentum=0.75)
    loss.edges.copy_(torch.rand(13, generator=generator))
    loss.acc_sum.copy_(torch.rand(12, generator=generator) * 20)
    gradient = torch.rand(40, 3, generator=generator)
    valid = torch.rand(40, 3, generator=generator) > 0.2
    total = valid.sum().float()

    remembered, expected, filled = loss.acc_sum.clone(), torch.zeros(40, 3), 0
    for i in range(12):
        inside = (gradient >= loss.edges[i]) & (gradient < loss.edges[i + 1]) & valid
        if inside.any():
            remembered[i] = 0.75 * remembered[i] + 0.25 * inside.sum()
            expected[inside] = total / remembered[i]
            filled += 1
    weights = loss.harmonise(gradient, valid, total)
    assert filled > 3
    torch.testing.assert_close(weights, expected / filled)
    torch.testing.assert_close(loss.acc_sum, remembered)
