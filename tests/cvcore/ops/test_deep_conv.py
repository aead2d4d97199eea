"""Convolutions of very many channels: outputs of torch, the gradient of the kernels by products."""

from __future__ import annotations

import pytest
import torch

from cvcore.ops.deep_conv import deep_conv2d, kernel_gradient


def test_outputs_are_torchs_to_the_bit() -> None:
    x, weight, bias = torch.rand(2, 5, 4, 7), torch.rand(3, 5, 3, 3), torch.rand(3)
    assert torch.equal(deep_conv2d(x, weight, bias), torch.conv2d(x, weight, bias, padding=1))
    assert torch.equal(deep_conv2d(x, weight), torch.conv2d(x, weight, padding=1))


@pytest.mark.parametrize("x_order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("grad_order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 4)])
def test_the_gradient_of_the_kernels_is_that_of_the_definition(
    x_order: torch.memory_format, grad_order: torch.memory_format, size: tuple[int, int]
) -> None:
    x = torch.rand(2, 5, *size, dtype=torch.float64).contiguous(memory_format=x_order)
    grad = torch.rand(2, 3, *size, dtype=torch.float64).contiguous(memory_format=grad_order)
    expected = torch.nn.grad.conv2d_weight(x, (3, 5, 3, 3), grad, padding=1)
    found = kernel_gradient(x, grad)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous()


def test_gradients_of_the_first_and_second_order() -> None:
    x, weight, bias = (
        torch.rand(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 2, 3, 4), (3, 2, 3, 3), (3,))
    )
    assert torch.autograd.gradcheck(deep_conv2d, (x, weight, bias))
    assert torch.autograd.gradgradcheck(deep_conv2d, (x, weight, bias))


def test_no_image_has_no_gradient() -> None:
    weight = torch.rand(3, 2, 3, 3, requires_grad=True)
    deep_conv2d(torch.rand(0, 2, 4, 4), weight).sum().backward()
    assert weight.grad is not None
    assert not weight.grad.any()
