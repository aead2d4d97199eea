"""Winograd's convolution against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cvcore.ops import winograd, winograd_conv2d


def draw(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("size", [(8, 12), (7, 10), (1, 1), (3, 5)], ids=str)
def test_it_is_a_convolution_on_maps_of_any_size(size: tuple[int, int]) -> None:
    x, weight, bias = draw(2, 3, *size, seed=0), draw(5, 3, 3, 3, seed=1), draw(5, seed=2)
    out = winograd_conv2d(x, weight, bias)
    torch.testing.assert_close(out, F.conv2d(x, weight, bias, padding=1))
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_maps_are_worked_on_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = draw(3, 2, 18, 9, seed=0), draw(4, 2, 3, 3, seed=1)
    for windows in (1, 7, 20):
        monkeypatch.setattr(winograd, "_AT_ONCE", windows * 2)  # channels
        out = winograd_conv2d(x, weight)
        torch.testing.assert_close(out, F.conv2d(x, weight, padding=1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_it_is_differentiable_twice(layout: torch.memory_format) -> None:
    x = draw(2, 2, 5, 4, seed=0).contiguous(memory_format=layout).requires_grad_()
    weight = draw(3, 2, 3, 3, seed=1).contiguous(memory_format=layout).requires_grad_()
    bias = draw(3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(winograd_conv2d, (x, weight, bias))
    assert torch.autograd.gradgradcheck(winograd_conv2d, (x, weight, bias))


def test_sums_round_about_as_little_as_those_of_a_direct_kernel() -> None:
    x = draw(1, 64, 16, 16, seed=0, dtype=torch.float32)
    weight = draw(32, 64, 3, 3, seed=1, dtype=torch.float32)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    error = (winograd_conv2d(x, weight) - exact).std() / exact.std()
    assert error < 3e-6  # some ten times the distance between neighbouring float32 numbers
