from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import (
    Conv2dAdaptivePadding,
    ConvAWS2d,
    ConvModule,
    ConvWS2d,
    DepthwiseSeparableConvModule,
    conv_ws_2d,
    fuse_conv_bn,
    revert_sync_batchnorm,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_standardised_filters_have_mean_zero_and_deviation_one() -> None:
    conv = ConvWS2d(3, 4, 3, padding=1, eps=0.25)
    x = torch.randn(2, 3, 5, 5)
    filters = conv.weight.detach().reshape(4, 27)
    filters = (filters - filters.mean(1, keepdim=True)) / (filters.std(1, keepdim=True) + 0.25)
    expected = F.conv2d(x, filters.reshape(4, 3, 3, 3), conv.bias, padding=1)
    assert torch.allclose(conv(x), expected, atol=1e-5)
    called = conv_ws_2d(x, conv.weight, conv.bias, padding=1, eps=0.25)
    assert torch.equal(called, conv(x))


def test_adaptive_filters_have_the_mean_and_deviation_of_their_buffers() -> None:
    conv = ConvAWS2d(3, 4, 3, bias=False)
    conv.weight_gamma.fill_(2)
    conv.weight_beta.fill_(0.5)
    used = conv.standardised(conv.weight).reshape(4, -1)
    assert torch.allclose(used.mean(1), torch.full((4,), 0.5), atol=1e-6)
    # The variance is divided with 1e-5 added: a little less than 2.
    spread = conv.weight.reshape(4, -1).var(1)
    assert torch.allclose(used.std(1), 2 * (spread / (spread + 1e-5)).sqrt(), atol=1e-5)
    x = torch.randn(1, 3, 5, 5)
    assert torch.allclose(conv(x), F.conv2d(x, used.reshape(4, 3, 3, 3)), atol=1e-5)


def test_a_plain_checkpoint_leaves_an_adaptive_convolution_computing_the_same() -> None:
    plain, adaptive = nn.Conv2d(3, 4, 3), ConvAWS2d(3, 4, 3)
    assert adaptive.load_state_dict(plain.state_dict()).missing_keys == []
    x = torch.randn(1, 3, 6, 6)
    assert torch.allclose(adaptive(x), plain(x), atol=1e-5)


def test_an_adaptive_checkpoint_keeps_its_own_buffers() -> None:
    source, target = ConvAWS2d(3, 4, 3), ConvAWS2d(3, 4, 3)
    source.weight_gamma.fill_(0.7)
    target.load_state_dict(source.state_dict())
    assert torch.all(target.weight_gamma == 0.7)
    assert torch.all(target.weight_beta == 0)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("length", [7, 8, 9])
def test_adaptive_padding_gives_one_output_a_stride(kernel: int, stride: int, length: int) -> None:
    conv = Conv2dAdaptivePadding(2, 2, kernel, stride=stride, padding=1)
    outputs = math.ceil(length / stride)
    assert conv(torch.zeros(1, 2, length, length + 1)).shape[2:] == (
        outputs,
        math.ceil((length + 1) / stride),
    )


def test_adaptive_padding_puts_the_odd_pixel_at_the_end() -> None:
    conv = Conv2dAdaptivePadding(1, 1, 2, bias=False)
    nn.init.constant_(conv.weight, 1)
    # One pixel is missing for a kernel of 2: it is added at the right and the bottom.
    assert conv(torch.ones(1, 1, 2, 2))[0, 0].tolist() == [[4, 2], [2, 1]]


def test_depthwise_then_pointwise_with_a_recipe_each() -> None:
    module = DepthwiseSeparableConvModule(
        4,
        6,
        3,
        stride=2,
        padding=1,
        norm_cfg={"type": "BN"},
        act_cfg={"type": "ReLU6"},
        dw_act_cfg={"type": "Tanh"},
        pw_norm_cfg=None,
    )
    assert module.depthwise_conv.conv.groups == 4
    assert isinstance(module.depthwise_conv.activate, nn.Tanh)
    assert isinstance(module.depthwise_conv.norm, nn.BatchNorm2d)
    assert isinstance(module.pointwise_conv.activate, nn.ReLU6)
    assert module.pointwise_conv.norm is None
    assert module.pointwise_conv.conv.bias is not None
    assert module(torch.zeros(1, 4, 8, 8)).shape == (1, 6, 4, 4)


def trained(module: nn.Module) -> nn.Module:
    """In evaluation, with running statistics and scales that are not 0 and 1."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return module.eval()


class Unusual(nn.Module):
    """A branch, a norm that does not follow a convolution, and layers that must not be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvModule(3, 4, 3, norm_cfg={"type": "BN"})
        self.norm_first = ConvModule(
            4, 4, 1, norm_cfg={"type": "BN"}, order=("norm", "conv", "act")
        )
        self.conv = nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU()
        self.bn = nn.BatchNorm2d(4)
        self.standardised = ConvModule(
            4, 4, 1, conv_cfg={"type": "ConvWS"}, norm_cfg={"type": "BN"}
        )
        self.inner = nn.Sequential(nn.Conv2d(4, 5, 1, bias=False), nn.BatchNorm2d(5, affine=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.relu(self.conv(self.norm_first(self.first(x)))))
        return self.inner(self.standardised(x))


def test_folding_keeps_the_output_and_folds_only_what_it_may() -> None:
    model = trained(Unusual())
    x = torch.randn(2, 3, 6, 6)
    before = model(x)
    assert fuse_conv_bn(model) is model
    assert torch.allclose(model(x), before, atol=1e-4)
    assert isinstance(model.first.bn, nn.Identity)
    assert isinstance(model.inner[1], nn.Identity)
    for kept in (model.norm_first.bn, model.bn, model.standardised.bn):
        assert isinstance(kept, nn.BatchNorm2d)


def test_reverting_replaces_synchronised_norms_by_plain_ones_of_the_same_values() -> None:
    model = trained(nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4, eps=0.1)))
    x = torch.randn(2, 3, 4, 4)
    before, weight = model(x), model[1].weight
    assert revert_sync_batchnorm(model) is model
    assert not isinstance(model[1], nn.SyncBatchNorm)
    assert model[1].weight is weight
    assert not model[1].training
    assert torch.equal(model(x), before)
    flat = revert_sync_batchnorm(nn.SyncBatchNorm(4))
    assert flat(torch.randn(5, 4)).shape == (5, 4)  # any number of dimensions, as before
