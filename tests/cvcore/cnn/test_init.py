from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cvcore.cnn import (
    bias_init_with_prob,
    caffe2_xavier_init,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from cvcore.errors import ConfigError


@pytest.fixture
def conv() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(64, 32, 5)


def test_constant_fills_weight_and_bias(conv: nn.Conv2d) -> None:
    constant_init(conv, 0.5, bias=2)
    assert torch.all(conv.weight == 0.5)
    assert torch.all(conv.bias == 2)


def test_modules_without_weight_or_bias_are_left_alone() -> None:
    constant_init(nn.ReLU(), 1)
    linear = nn.Linear(2, 2, bias=False)
    constant_init(linear, 1)
    assert torch.all(linear.weight == 1)
    constant_init(nn.BatchNorm2d(2, affine=False), 1)


def test_xavier_normal_has_the_variance_of_both_fans(conv: nn.Conv2d) -> None:
    xavier_init(conv, gain=2, bias=0.1)
    # 2 * sqrt(2 / ((64 + 32) * 25)) = 0.0577
    assert conv.weight.std().item() == pytest.approx(0.0577, rel=0.02)
    assert torch.all(conv.bias == 0.1)


def test_xavier_uniform_stays_within_its_bound(conv: nn.Conv2d) -> None:
    xavier_init(conv, distribution="uniform")
    # sqrt(6 / ((64 + 32) * 25)) = 0.05
    assert conv.weight.abs().max().item() == pytest.approx(0.05, rel=0.01)
    assert conv.weight.abs().max() <= 0.05


def test_kaiming_looks_at_the_outputs_unless_told_otherwise(conv: nn.Conv2d) -> None:
    kaiming_init(conv)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (32 * 25)), rel=0.02)
    kaiming_init(conv, a=1, mode="fan_in", nonlinearity="leaky_relu")
    assert conv.weight.std().item() == pytest.approx(math.sqrt(1 / (64 * 25)), rel=0.02)


def test_caffe2_xavier_is_uniform_with_the_variance_of_one_over_fan_in(conv: nn.Conv2d) -> None:
    caffe2_xavier_init(conv)
    bound = math.sqrt(3 / (64 * 25))
    assert conv.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert conv.weight.abs().max() <= bound
    assert torch.all(conv.bias == 0)


def test_normal_and_uniform_take_their_parameters(conv: nn.Conv2d) -> None:
    normal_init(conv, mean=1, std=0.01)
    assert conv.weight.mean().item() == pytest.approx(1, abs=1e-3)
    assert conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
    uniform_init(conv, a=2, b=3)
    assert 2 <= conv.weight.min() < conv.weight.max() <= 3


def test_the_truncated_normal_is_cut_off(conv: nn.Conv2d) -> None:
    trunc_normal_init(conv, std=1, a=-0.5, b=0.25)
    assert conv.weight.min() >= -0.5
    assert conv.weight.max() <= 0.25


def test_the_bias_of_a_probability_gives_it_back_through_a_sigmoid() -> None:
    assert bias_init_with_prob(0.01) == pytest.approx(-4.59512)  # -ln(99)
    assert 1 / (1 + math.exp(-bias_init_with_prob(0.3))) == pytest.approx(0.3)


@pytest.mark.parametrize("init", [xavier_init, kaiming_init])
def test_an_unknown_distribution_is_refused(init: object, conv: nn.Conv2d) -> None:
    with pytest.raises(ConfigError, match="'uniform' or 'normal'"):
        init(conv, distribution="gaussian")
