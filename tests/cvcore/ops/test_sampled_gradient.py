"""Gradients of a convolution whose outputs have them at few places."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cvcore.ops import sampled_gradient, winograd, winograd_conv2d
from cvcore.ops.sampled_gradient import gradients_of_places, sampled_conv2d, sampled_places

SIZE = (2, 3, 9, 7)


def draw(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def gradient_at(*places: tuple[int, int, int]) -> Tensor:
    """(2, 4, 9, 7), zero but at some images, rows and columns."""
    grad = torch.zeros(2, 4, 9, 7, dtype=torch.float64)
    for number, (image, row, column) in enumerate(places):
        grad[image, :, row, column] = draw(4, seed=number)
    return grad


def operands() -> tuple[Tensor, Tensor]:
    x = draw(*SIZE, seed=10).contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(), draw(4, 3, 3, 3, seed=11).requires_grad_()


CORNERS = ((0, 0, 0), (0, 8, 6), (1, 0, 6), (1, 8, 0))
INSIDE = ((0, 4, 3), (0, 4, 4), (1, 5, 3))


@pytest.mark.parametrize("places", [CORNERS, INSIDE, ()], ids=["corners", "inside", "none"])
def test_they_are_those_of_a_plain_convolution(places: tuple[tuple[int, int, int], ...]) -> None:
    x, weight = operands()
    grad = gradient_at(*places)
    with torch.no_grad():
        found = sampled_places(grad)
    assert found is not None
    assert len(found) == len(places)
    plain = torch.autograd.grad(F.conv2d(x, weight, padding=1), (x, weight), grad)
    for ours, theirs in zip(gradients_of_places(found, grad, x, weight), plain, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_convolution_takes_them_where_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the whole map was worked on")

    x, weight = operands()
    out, grad = winograd_conv2d(x, weight), gradient_at(*INSIDE)
    whole = torch.autograd.grad(F.conv2d(x, weight, padding=1), (x, weight), grad)
    monkeypatch.setattr(winograd._InputGradient, "apply", never)
    monkeypatch.setattr(winograd._WeightGradient, "apply", never)
    for ours, theirs in zip(torch.autograd.grad(out, (x, weight), grad), whole, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("few", [True, False])
def test_torchs_convolution_takes_them_where_they_are_few(few: bool) -> None:
    x, weight = operands()
    bias = draw(4, seed=12).requires_grad_()
    out, plain = sampled_conv2d(x, weight, bias), F.conv2d(x, weight, bias, padding=1)
    assert torch.equal(out, plain)
    grad = gradient_at(*INSIDE) if few else draw(2, 4, 9, 7, seed=13)
    asked = (x, weight, bias)
    for ours, theirs in zip(
        torch.autograd.grad(out, asked, grad), torch.autograd.grad(plain, asked, grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_torchs_convolution_may_be_differentiated_twice() -> None:
    assert torch.autograd.gradgradcheck(sampled_conv2d, operands())


def test_under_autocast_they_come_in_its_precision_and_add_up_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grad = gradient_at(*INSIDE).bfloat16()
    x, weight = (each.detach().bfloat16().float().requires_grad_() for each in operands())
    exact = torch.autograd.grad(F.conv2d(x, weight, padding=1), (x, weight), grad.float())
    taken = []
    monkeypatch.setattr(
        sampled_gradient,
        "gradients_of_places",
        lambda *given: taken.append(given) or gradients_of_places(*given),
    )
    with torch.autocast("cpu", torch.bfloat16):
        out = sampled_conv2d(x, weight)
    assert out.dtype == torch.bfloat16
    found = torch.autograd.grad(out, (x, weight), grad)
    assert len(taken) == 1
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - theirs).norm() / theirs.norm()) < 2**-8  # the last of 8 bits


@torch.no_grad()
def test_many_places_are_no_sample() -> None:
    assert sampled_places(draw(2, 4, 9, 7, seed=0)) is None


def test_zeros_count_where_the_gradient_is_differentiated() -> None:
    assert sampled_places(gradient_at((0, 4, 3))) is None


@torch.no_grad()
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-42, 1e-42])
def test_every_number_but_zero_is_a_gradient(value: float) -> None:
    grad = torch.zeros(1, 4, 9, 7)
    grad[0, 2, 1, 3] = value
    assert sampled_places(grad).tolist() == [1 * 7 + 3]
