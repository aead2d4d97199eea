"""Convolutions that search for their dilation."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import Conv2dRFSearchOp, ConvWS2d
from cvcore.cnn.rf_search import set_dilation
from cvcore.errors import ConfigError


def config(**search: object) -> dict:
    return {"search": search}


def test_branches_lie_around_the_dilation() -> None:
    # 1 -+ 0.5, halves up: 1 and 2; 4 -+ 2: 2 and 6; with three branches 4 too.
    assert Conv2dRFSearchOp(nn.Conv2d(1, 1, 3), config()).dilation_rates == [(1, 1), (2, 2)]
    wide = nn.Conv2d(1, 1, 3, dilation=4)
    assert Conv2dRFSearchOp(wide, config()).dilation_rates == [(2, 2), (6, 6)]
    three = Conv2dRFSearchOp(wide, config(num_branches=3, mmax=5))
    assert three.dilation_rates == [(2, 2), (4, 4), (5, 5)]


def test_an_axis_without_extent_keeps_its_dilation() -> None:
    op = Conv2dRFSearchOp(nn.Conv2d(1, 1, (5, 1), padding=(2, 0)), config())
    assert op.dilation_rates == [(1, 1), (2, 1)]
    assert op(torch.ones(1, 1, 9, 4)).shape == (1, 1, 9, 4)


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
def test_the_output_is_the_mixture_of_convolutions(padding_mode: str) -> None:
    layer = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, padding_mode=padding_mode)
    op = Conv2dRFSearchOp(layer, config())
    op.branch_weights.data = torch.tensor([0.3, -0.1])  # shares 3 / 4 and 1 / 4
    x = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    mode = "constant" if padding_mode == "zeros" else padding_mode
    near, far = (
        F.conv2d(F.pad(x, [rate] * 4, mode), layer.weight, layer.bias, 2, 0, rate, 2)
        for rate in (1, 2)
    )
    torch.testing.assert_close(op(x), 0.75 * near + 0.25 * far)
    torch.testing.assert_close(op(x).shape, layer(x).shape)


def test_the_mean_dilation_becomes_the_convolutions_own() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=4, dilation=4)
    op = Conv2dRFSearchOp(layer, config())
    op.branch_weights.data = torch.tensor([0.1, 0.3])
    op.estimate_rates()  # 2 / 4 + 6 * 3 / 4 = 5
    assert layer.dilation == layer.padding == (5, 5)
    op.expand_rates()  # 5 -+ 2.5: 2.5 and 7.5, halves up
    assert op.dilation_rates == [(3, 3), (8, 8)]
    assert op.branch_weights.tolist() == pytest.approx([0.01, 0.01])


def test_shares_learn_and_equal_zeros_are_shared_evenly() -> None:
    op = Conv2dRFSearchOp(nn.Conv2d(1, 1, 3, padding=1), config())
    op(torch.randn(1, 1, 6, 6)).square().sum().backward()
    assert op.branch_weights.grad.abs().min() > 0
    assert op.normlize(torch.zeros(2)).tolist() == [0.5, 0.5]


def test_a_checkpoint_brings_its_dilations_and_one_without_leaves_them() -> None:
    found = Conv2dRFSearchOp(nn.Conv2d(1, 1, 3, padding=4, dilation=4), config())
    fresh = Conv2dRFSearchOp(nn.Conv2d(1, 1, 3, padding=1), config())
    saved = found.state_dict()
    assert set(saved) == {"op_layer.weight", "op_layer.bias", "branch_weights", "dilation_rates"}
    fresh.load_state_dict(saved)
    x = torch.randn(1, 1, 15, 15, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fresh(x), found(x))
    del saved["dilation_rates"]  # as MMCV writes it
    fresh.load_state_dict(saved, strict=True)
    assert fresh.dilation_rates == [(2, 2), (6, 6)]


def test_another_dilation_keeps_the_size() -> None:
    layer = nn.Conv2d(1, 1, (3, 5), padding=(1, 2))
    set_dilation(layer, (2, 3))
    assert layer.padding == (2, 6)
    assert layer(torch.ones(1, 1, 7, 9)).shape == (1, 1, 7, 9)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, 1),
        nn.Conv2d(1, 1, 4),
        nn.Conv2d(1, 1, 3, padding="same"),
        ConvWS2d(1, 1, 3),
        nn.Linear(1, 1),
    ],
)
def test_layers_that_cannot_be_searched_are_refused(layer: nn.Module) -> None:
    with pytest.raises(ConfigError, match="cannot be searched"):
        Conv2dRFSearchOp(layer, config())


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"num_branch": 2}, "nearest: 'num_branches'"),
        ({"num_branches": 1}, "num_branches=1"),
        ({"mmin": 5, "mmax": 4}, "mmin=5"),
        ({"normlize": "softmax"}, "softmax"),
    ],
)
def test_settings_that_make_no_sense_are_named(search: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Conv2dRFSearchOp(nn.Conv2d(1, 1, 3), {"search": search})
