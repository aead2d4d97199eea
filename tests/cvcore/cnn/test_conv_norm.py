"""A convolution and its norm, of which less is kept."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from cvcore.cnn import Conv2d, ConvNormSequential, conv_norm
from cvcore.cnn.layers.conv2d import goes_by_products


def layers(bias: bool = False, affine: bool = True, groups: int = 1) -> tuple[nn.Conv2d, nn.Module]:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=bias, groups=groups).double()
    norm = nn.BatchNorm2d(6, affine=affine).double().eval()
    for value in (norm.running_mean, norm.weight, norm.bias):
        if value is not None:
            nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    return conv, norm


def image() -> Tensor:
    values = torch.randn(2, 4, 7, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    return values.requires_grad_()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_values_and_all_gradients_are_those_of_the_two_layers(
    bias: bool, affine: bool, groups: int
) -> None:
    conv, norm = layers(bias, affine, groups)
    alone = copy.deepcopy(nn.Sequential(conv, norm))
    x, y = image(), image()
    one_pass, two_passes = conv_norm(conv, norm, x), alone(y)
    assert torch.equal(one_pass, two_passes)
    with torch.no_grad():
        assert torch.equal(conv_norm(conv, norm, x), two_passes)
    one_pass.sin().sum().backward()
    two_passes.sin().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    for ours, theirs in zip(
        (*conv.parameters(), *norm.parameters()), alone.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_gradients_go_by_winograds_way_where_the_convolution_did() -> None:
    torch.manual_seed(0)
    conv, norm = Conv2d(128, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128).eval()
    nn.init.uniform_(norm.weight, 0.5, 2)
    alone = copy.deepcopy(nn.Sequential(conv, norm))
    alone[0].direct = True
    x, y = (torch.randn(1, 128, 32, 32).requires_grad_() for _ in range(2))
    y.data.copy_(x)
    ours, theirs = conv_norm(conv, norm, x), alone(y)
    assert not torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for out in (ours, theirs):
        out.sin().sum().backward()
    mine = (x, *conv.parameters(), *norm.parameters())
    for got, expected in zip(mine, (y, *alone.parameters()), strict=True):
        scale = float(expected.grad.abs().max())
        torch.testing.assert_close(got.grad, expected.grad, rtol=1e-4, atol=1e-5 * scale)


def test_frozen_parameters_get_no_gradient() -> None:
    conv, norm = layers()
    conv.requires_grad_(False)
    conv_norm(conv, norm, image()).sum().backward()
    assert conv.weight.grad is None
    assert norm.weight.grad is not None


def test_a_norm_in_training_mode_still_collects_its_statistics() -> None:
    conv, norm = layers()
    norm.train()
    before = norm.running_mean.clone()
    expected = copy.deepcopy(norm)(conv(image()))
    torch.testing.assert_close(conv_norm(conv, norm, image()), expected)
    assert not torch.equal(norm.running_mean, before)


def test_other_layers_run_one_after_the_other() -> None:
    conv, _ = layers()
    norm = nn.GroupNorm(2, 6).double()
    assert torch.equal(conv_norm(conv, norm, image()), norm(conv(image())))


def test_a_hook_sees_the_map_between_the_layers() -> None:
    conv, norm = layers()
    seen: list[Tensor] = []
    conv.register_forward_hook(lambda module, inputs, output: seen.append(output))
    conv_norm(conv, norm, image())
    assert torch.equal(seen[0], conv(image()))


def test_a_weight_changed_behind_autograd_is_used_as_it_is_now() -> None:
    conv, norm = layers()
    with torch.no_grad():
        before = conv_norm(conv, norm, image())
        conv.weight.data.mul_(2)
        torch.testing.assert_close(conv_norm(conv, norm, image()), norm(conv(image())))
    assert not torch.allclose(before, norm(conv(image())))


def test_the_norm_writes_over_the_map_of_the_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, norm = layers()
    given: list[int] = []
    convolve = conv._conv_forward

    def noted(*args: Tensor | None) -> Tensor:
        found = convolve(*args)
        given.append(found.data_ptr())
        return found

    monkeypatch.setattr(conv, "_conv_forward", noted)
    with torch.no_grad():
        assert conv_norm(conv, norm, image()).data_ptr() == given[0]
    assert conv_norm(conv, norm, image()).data_ptr() == given[1]


def test_a_norm_with_a_forward_of_its_own_is_called() -> None:
    class Doubling(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    conv, norm = layers()
    other = Doubling(6).double().eval()
    other.load_state_dict(norm.state_dict())
    with torch.no_grad():
        assert torch.equal(conv_norm(conv, other, image()), 2 * norm(conv(image())))


def test_under_autocast_the_result_is_in_half_precision_and_the_gradients_are_not() -> None:
    conv, norm = (layer.float() for layer in layers())
    x = image().detach().float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = conv_norm(conv, norm, x)
        expected = norm(conv(x))
    assert found.dtype == torch.bfloat16
    # bfloat16 keeps eight bits: 1 in 256 of values up to about 4.
    torch.testing.assert_close(found.float(), expected.float(), rtol=0.02, atol=0.03)
    found.float().sum().backward()
    assert {conv.weight.grad.dtype, norm.weight.grad.dtype, x.grad.dtype} == {torch.float32}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_gradients_of_kernels_of_one_pixel_are_right_in_half_precision(
    stride: int, direct: bool, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    conv = Conv2d(4, 6, 1, stride=stride, bias=False)
    conv.direct = direct
    assert goes_by_products(conv, image().bfloat16()) == (stride == 1 and not direct)
    norm = layers()[1].float()
    exact = copy.deepcopy(nn.Sequential(conv, norm)).double()
    x = image().detach().float().to(memory_format=memory_format).requires_grad_()
    y = x.detach().double().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = conv_norm(conv, norm, x)
    found.float().square().sum().backward()
    exact(y).square().sum().backward()
    for ours, theirs in zip(
        (x, *conv.parameters(), *norm.parameters()), (y, *exact.parameters()), strict=True
    ):
        largest = float(theirs.grad.abs().max())
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=0, atol=0.02 * largest)


def test_layers_in_a_row_keep_their_keys_and_their_result() -> None:
    conv, norm = layers()
    plain = nn.Sequential(nn.AvgPool2d(1), conv, norm, nn.ReLU())
    folded = ConvNormSequential(*plain)
    assert list(folded.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(folded(image()), plain(image()))
