from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import ConvModule
from cvcore.errors import ConfigError

BN = {"type": "BN"}


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def test_the_default_order_is_convolution_norm_activation(x: torch.Tensor) -> None:
    module = ConvModule(3, 4, 3, stride=2, padding=1, norm_cfg=BN).eval()
    module.bn.running_mean += 0.3
    expected = F.relu(module.bn(F.conv2d(x, module.conv.weight, stride=2, padding=1)))
    assert torch.equal(module(x), expected)
    assert expected.shape == (2, 4, 3, 3)


def test_the_order_can_be_turned_round(x: torch.Tensor) -> None:
    module = ConvModule(3, 4, 1, norm_cfg=BN, inplace=False, order=("norm", "act", "conv")).eval()
    module.bn.running_mean += 0.3
    assert module.bn.num_features == 3
    assert torch.equal(module(x), module.conv(F.relu(module.bn(x))))


def test_norm_and_activation_can_be_left_out_of_a_call(x: torch.Tensor) -> None:
    module = ConvModule(3, 4, 1, norm_cfg=BN).eval()
    module.bn.running_mean += 0.3
    plain = module.conv(x)
    assert torch.equal(module(x, activate=False), module.bn(plain))
    assert torch.equal(module(x, norm=False), F.relu(plain))


@pytest.mark.parametrize(("norm_cfg", "has_bias"), [(None, True), (BN, False)])
def test_auto_gives_a_bias_exactly_where_there_is_no_norm(
    norm_cfg: dict | None, has_bias: bool
) -> None:
    module = ConvModule(3, 4, 1, norm_cfg=norm_cfg)
    assert (module.conv.bias is not None) == module.with_bias == has_bias


def test_a_bias_before_a_batch_norm_is_pointed_out() -> None:
    with pytest.warns(UserWarning, match="has no effect"):
        ConvModule(3, 4, 1, bias=True, norm_cfg=BN)


@pytest.mark.parametrize(
    ("norm", "name"), [({"type": "GN", "num_groups": 2}, "gn"), ({"type": "SyncBN"}, "bn")]
)
def test_the_norm_is_an_attribute_named_by_its_kind(norm: dict, name: str) -> None:
    module = ConvModule(3, 4, 1, norm_cfg=norm)
    assert module.norm_name == name
    assert module.norm is getattr(module, name)
    assert f"{name}.weight" in module.state_dict()


def test_without_norm_and_activation_only_the_convolution_remains() -> None:
    module = ConvModule(3, 4, 1, act_cfg=None)
    assert module.norm is None
    assert [name for name, _ in module.named_children()] == ["conv"]


def test_a_padding_mode_that_the_convolution_lacks_becomes_a_layer(x: torch.Tensor) -> None:
    module = ConvModule(3, 4, 3, padding=1, padding_mode="reflect", act_cfg=None)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), module.conv.weight)
    assert torch.allclose(module(x), expected + module.conv.bias[:, None, None], atol=1e-6)
    assert (module.padding, module.conv.padding) == (1, (0, 0))


def test_circular_padding_is_the_convolutions_own() -> None:
    assert ConvModule(3, 4, 3, padding=1, padding_mode="circular").conv.padding_mode == "circular"


def test_spectral_norm_divides_by_the_largest_singular_value(x: torch.Tensor) -> None:
    module = ConvModule(3, 4, 1, with_spectral_norm=True, act_cfg=None)
    assert {"conv.weight_orig", "conv.weight_u", "conv.weight_v"} <= set(module.state_dict())
    for _ in range(50):
        module(x)
    assert torch.linalg.matrix_norm(module.conv.weight[:, :, 0, 0], 2).item() == pytest.approx(
        1, abs=1e-3
    )


def test_the_geometry_of_the_convolution_shows_on_the_module() -> None:
    module = ConvModule(4, 8, 3, stride=2, padding=2, dilation=2, groups=2)
    assert (module.in_channels, module.out_channels, module.groups) == (4, 8, 2)
    assert (module.kernel_size, module.stride, module.dilation) == ((3, 3), (2, 2), (2, 2))


def test_activations_work_in_place_where_they_can() -> None:
    assert ConvModule(3, 4, 1).activate.inplace
    assert not ConvModule(3, 4, 1, inplace=False).activate.inplace
    for kind in ("Tanh", "PReLU", "Sigmoid", "HSigmoid", "Swish", "GELU"):
        assert not hasattr(ConvModule(3, 4, 1, act_cfg={"type": kind}).activate, "inplace")


def test_weights_fit_the_activation() -> None:
    torch.manual_seed(0)
    relu = ConvModule(64, 64, 3, norm_cfg=BN)
    assert relu.conv.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    leaky = ConvModule(64, 64, 3, act_cfg={"type": "LeakyReLU", "negative_slope": 0.5})
    # gain² = 2 / (1 + 0.5²)
    assert leaky.conv.weight.std().item() == pytest.approx(math.sqrt(1.6 / (64 * 9)), rel=0.02)
    assert torch.all(relu.bn.weight == 1)


def test_a_convolution_that_initialises_itself_is_left_alone() -> None:
    class OwnConv(nn.Conv2d):
        def init_weights(self) -> None:
            pass

    torch.manual_seed(0)
    module = ConvModule(3, 4, 1, conv_cfg={"type": OwnConv})
    torch.manual_seed(0)
    assert torch.equal(module.conv.weight, OwnConv(3, 4, 1).weight)


@pytest.mark.parametrize("order", [("conv", "norm"), ("conv", "norm", "norm"), ("a", "b", "c")])
def test_an_order_must_name_each_part_once(order: tuple) -> None:
    with pytest.raises(ConfigError, match="once each"):
        ConvModule(3, 4, 1, order=order)


@pytest.mark.parametrize("order", list(permutations(("conv", "norm", "act"))), ids="-".join)
@pytest.mark.parametrize("padding_mode", ["zeros", "circular", "reflect", "replicate"])
def test_every_order_with_every_padding_follows_the_definition(
    order: tuple[str, ...], padding_mode: str, x: torch.Tensor
) -> None:
    layer = ConvModule(
        3, 4, 3, padding=1, norm_cfg={"type": "BN"}, padding_mode=padding_mode, order=order
    )
    mode = {"zeros": "constant"}.get(padding_mode, padding_mode)
    after_conv = order.index("norm") > order.index("conv")
    # A fresh norm in training: mean 0 and deviation 1 over the batch.
    steps = {
        "conv": lambda y: F.conv2d(F.pad(y, [1] * 4, mode=mode), layer.conv.weight),
        "norm": lambda y: (y - mean(y)) / (mean((y - mean(y)) ** 2) + 1e-5).sqrt(),
        "act": torch.relu,
    }
    expected = x
    for part in order:
        expected = steps[part](expected)
    assert layer.norm.num_features == (4 if after_conv else 3)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


def mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=(0, 2, 3), keepdim=True)


ACTIVATIONS = {
    "ReLU": torch.relu,
    "LeakyReLU": F.leaky_relu,
    "PReLU": lambda x: torch.where(x > 0, x, x / 4),
    "ReLU6": lambda x: x.clamp(0, 6),
    "ELU": F.elu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "SiLU": lambda x: x * torch.sigmoid(x),
    "Swish": lambda x: x * torch.sigmoid(x),
    "GELU": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "HSwish": lambda x: x * (x + 3).clamp(0, 6) / 6,
    "HSigmoid": lambda x: (x + 3).clamp(0, 6) / 6,
    "Clip": lambda x: x.clamp(-1, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("norm", ["BN", "SyncBN", "GN", "IN"])
def test_every_activation_follows_every_norm(name: str, norm: str, x: torch.Tensor) -> None:
    norm_cfg = {"type": norm, "num_groups": 2} if norm == "GN" else {"type": norm}
    layer = ConvModule(3, 4, 1, norm_cfg=norm_cfg, act_cfg={"type": name}).eval()
    torch.testing.assert_close(layer(x), ACTIVATIONS[name](layer(x, activate=False)))
