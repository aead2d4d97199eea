from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import ConvAWS2d, SAConv2d, build_conv_layer, build_upsample_layer


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("use_deform", [False, True])
def test_a_new_layer_is_its_nearer_convolution_alone(use_deform: bool) -> None:
    layer = SAConv2d(4, 6, 3, stride=2, padding=1, bias=False, use_deform=use_deform)
    near = ConvAWS2d(4, 6, 3, stride=2, padding=1, bias=False)
    near.load_state_dict({k: layer.state_dict()[k] for k in near.state_dict()})
    x = torch.randn(2, 4, 9, 8)
    assert torch.allclose(layer(x), near(x), atol=1e-5)


@pytest.mark.parametrize("use_deform", [False, True])
def test_the_switch_mixes_in_the_convolution_of_three_times_the_dilation(use_deform: bool) -> None:
    layer = SAConv2d(3, 5, 3, padding=1, use_deform=use_deform)
    nn.init.normal_(layer.weight_diff)
    nn.init.normal_(layer.switch.weight)
    for context in (layer.pre_context, layer.post_context):
        nn.init.normal_(context.weight)
    x = torch.randn(1, 3, 7, 7)
    y = x + layer.pre_context(F.adaptive_avg_pool2d(x, 1))
    share = layer.switch(F.avg_pool2d(F.pad(y, (2, 2, 2, 2), mode="reflect"), 5, stride=1))
    weight = layer.standardised(layer.weight)
    near = F.conv2d(y, weight, layer.bias, padding=1)
    far = F.conv2d(y, weight + layer.weight_diff, layer.bias, padding=3, dilation=3)
    mixed = share * near + (1 - share) * far
    expected = mixed + layer.post_context(F.adaptive_avg_pool2d(mixed, 1))
    assert torch.allclose(layer(x), expected, atol=1e-4)


def test_the_keys_are_those_of_published_checkpoints() -> None:
    keys = set(build_conv_layer({"type": "SAC", "use_deform": True}, 2, 2, 3).state_dict())
    pairs = {"switch", "pre_context", "post_context", "offset_s", "offset_l"}
    expected = {f"{name}.{kind}" for name in pairs for kind in ("weight", "bias")}
    own = {"weight", "bias", "weight_gamma", "weight_beta", "weight_diff"}
    assert keys == expected | own


@pytest.mark.parametrize(("kind", "numbers"), [("DCN", 2), ("DCNv2", 3)])
def test_deformable_convolutions_by_name_and_by_an_older_argument(kind: str, numbers: int) -> None:
    recipe = {"type": kind, "deformable_groups": 2}
    layer = build_conv_layer(recipe, 4, 6, 3, padding=1, bias=False)
    assert layer.deform_groups == 2
    assert layer.conv_offset.out_channels == 2 * numbers * 9
    assert layer(torch.randn(1, 4, 5, 5)).shape == (1, 6, 5, 5)


def test_carafe_is_an_upsampling() -> None:
    layer = build_upsample_layer({"type": "carafe", "channels": 4, "scale_factor": 2})
    assert layer(torch.randn(1, 4, 3, 3)).shape == (1, 4, 6, 6)
