"""When a convolution goes which way."""

from __future__ import annotations

import pytest
import torch
from tests.processes import python, run
from torch import Tensor, nn

from cvcore.cnn import Conv2d, build_conv_layer, go_directly
from cvcore.cnn.conv_norm import conv_norm
from cvcore.cnn.layers import conv2d
from cvcore.ops import deep_conv
from cvcore.ops.deep_conv import kernel_gradient


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the maps that went by Winograd's way."""
    shapes = []

    def noted(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        shapes.append(tuple(x.shape))
        return torch.conv2d(x, weight, bias, padding=1)

    monkeypatch.setattr(conv2d, "winograd_conv2d", noted)
    return shapes


def test_large_maps_of_many_channels_go_by_winograds_way(taken: list) -> None:
    build_conv_layer(None, 128, 128, 3, padding=1)(torch.rand(2, 128, 24, 24))
    assert taken == [(2, 128, 24, 24)]


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({"padding": 0}, 128),
        ({"padding": 1, "stride": 2}, 128),
        ({"padding": 2, "dilation": 2}, 128),
        ({"padding": 1, "groups": 2}, 128),
        ({"padding": 1, "padding_mode": "circular"}, 128),
        ({"padding": 1}, 16),
    ],
    ids=str,
)
def test_other_convolutions_are_torchs(taken: list, options: dict, channels: int) -> None:
    conv = Conv2d(channels, 128, 3, **options)
    plain = nn.Conv2d(channels, 128, 3, **options)
    plain.load_state_dict(conv.state_dict())
    x = torch.rand(2, channels, 24, 24)
    torch.testing.assert_close(conv(x), plain(x))
    assert taken == []


def test_tracing_and_other_precisions_are_torchs(taken: list) -> None:
    conv = Conv2d(128, 128, 3, padding=1)
    x = torch.rand(2, 128, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        conv(x)
    conv.double()(x.double())
    conv.float()
    torch.export.export(conv, (x,), strict=False)
    assert taken == []


@pytest.mark.parametrize(
    ("options", "size", "looks"),
    [
        ({}, 24, True),
        ({"direct": True}, 24, False),
        ({"kernel_size": 1, "padding": 0}, 24, False),
        ({"in_channels": 16}, 24, False),
        ({}, 8, False),
    ],
    ids=str,
)
def test_under_autocast_wide_kernels_over_large_maps_look_for_sampled_gradients(
    options: dict, size: int, looks: bool
) -> None:
    settings = {"in_channels": 128, "out_channels": 36, "kernel_size": 3, "padding": 1, **options}
    direct = settings.pop("direct", False)
    conv = Conv2d(**settings)
    conv.direct = direct
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(torch.rand(2, settings["in_channels"], size, size))
    assert out.dtype == torch.bfloat16
    assert (type(out.grad_fn).__name__ == "_SampledConvBackward") == looks


def test_an_empty_batch_goes_through(taken: list) -> None:
    assert Conv2d(128, 128, 3, padding=1)(torch.rand(0, 128, 24, 24)).shape == (0, 128, 24, 24)
    assert taken == []


def test_outputs_may_be_overwritten_and_gradients_are_those_of_the_plain_layer() -> None:
    conv = Conv2d(128, 128, 3, padding=1)
    plain = nn.Conv2d(128, 128, 3, padding=1)
    plain.load_state_dict(conv.state_dict())
    x = torch.rand(2, 128, 25, 23, generator=torch.Generator().manual_seed(0))
    for layer in (conv, plain):
        torch.relu_(layer(x)).square().sum().backward()
    for ours, theirs in zip(conv.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-3)


def test_the_environment_holds_all_layers_to_torchs_own_way() -> None:
    ask = (
        "import torch; from cvcore.cnn import Conv2d; "
        "from cvcore.cnn.layers.conv2d import goes_by_winograd; "
        "print(goes_by_winograd(Conv2d(128, 128, 3, padding=1), torch.zeros(1, 128, 32, 32)))"
    )
    told = [run(python("-c", ask), {"CVCORE_DIRECT_CONV": value}).out for value in ("0", "1")]
    assert told == ["True\n", "False\n"]


def test_a_module_can_be_held_to_torchs_own_way(taken: list) -> None:
    block = nn.Sequential(nn.ReLU(), Conv2d(128, 128, 3, padding=1))
    x = torch.rand(2, 128, 24, 24)
    go_directly(block, True)
    block(x)
    assert taken == []
    go_directly(block, False)
    block(x)
    assert len(taken) == 1


@pytest.mark.parametrize("frozen", [False, True])
def test_kernels_of_very_many_channels_have_their_gradient_by_products(
    frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(x: Tensor, grad: Tensor) -> Tensor:
        asked.append(tuple(x.shape))
        return kernel_gradient(x, grad)

    monkeypatch.setattr(deep_conv, "kernel_gradient", noted)
    monkeypatch.setitem(conv_norm.__globals__, "kernel_gradient", noted)
    conv, norm = Conv2d(512, 512, 3, padding=1, bias=False), nn.BatchNorm2d(512).train(not frozen)
    conv.direct = not frozen
    x = torch.rand(2, 512, 4, 5)
    conv_norm(conv, norm, x).square().sum().backward()
    assert asked == [(2, 512, 4, 5)]

    found, conv.weight.grad = conv.weight.grad, None
    norm(torch.conv2d(x, conv.weight, padding=1)).square().sum().backward()
    torch.testing.assert_close(found, conv.weight.grad, rtol=1e-4, atol=1e-2)
