"""3x3 convolution with a quarter of the multiplications.

Winograd's minimal filtering, F(4x4, 3x3): Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks", 2016. A window of 6x6 inputs and a kernel are brought to 36 numbers each, multiplied
number by number, and brought back to 4x4 outputs; over channels that is 36 matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from cvcore.ops.sampled_gradient import gradients_of_places, sampled_places

WINDOW_STEP = 4  # outputs of a window, in rows and in columns
_KERNEL = 3
_WINDOW = WINDOW_STEP + _KERNEL - 1
# Where the polynomials behind the method are evaluated, and at infinity. With these points sums
# round half as much as with the usual 0, 1, -1, 2, -2, and as little as direct kernels do.
_POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))
# Windows by channels that a thread computes together: what they become stays in its cache.
_AT_ONCE = 96 * 256


def winograd_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with 3x3 kernels, stride 1 and one row of zeros around the map.

    Args:
        x: (n, c, h, w) float.
        weight: (k, c, 3, 3).
        bias: (k,).

    Returns:
        (n, k, h, w), channels-last in memory.
    """
    out: Tensor = _Winograd.apply(x, weight, bias)
    return out


def winograd_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, for_x: bool = True, for_weight: bool = True
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the input and of the weight of ``winograd_conv2d``, those that are asked for.

    Args:
        grad: (n, k, h, w), of the output.
        x: (n, c, h, w), what was convolved.
        weight: (k, c, 3, 3).
        for_x: whether the first is wanted.
        for_weight: whether the second is wanted.
    """
    grad = grad.contiguous(memory_format=torch.channels_last)
    grad_x = _convolve(grad, _kernels(weight, turned=True)) if for_x else None
    return grad_x, _correlate(x, grad) if for_weight else None


class _Winograd(torch.autograd.Function):
    """The input and the weight are kept for the backward pass, as of any convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        out = _convolve(x, _kernels(weight).transpose(1, 2))
        return out if bias is None else out.add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_bias = grad.sum(dim=(0, 2, 3)) if for_bias else None
        places = sampled_places(grad)
        if places is not None:
            return *gradients_of_places(places, grad, x, weight, for_x, for_weight), grad_bias
        grad_x = _InputGradient.apply(grad, weight) if for_x else None
        grad_weight = _WeightGradient.apply(x, grad) if for_weight else None
        return grad_x, grad_weight, grad_bias


class _InputGradient(torch.autograd.Function):
    """Gradient of the input: a convolution with the kernels turned round."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(grad, weight)
        return _convolve(grad, _kernels(weight, turned=True))

    @staticmethod
    def backward(ctx: Any, twice: Tensor) -> tuple[Tensor, Tensor]:
        grad, weight = ctx.saved_tensors
        return winograd_conv2d(twice, weight), _WeightGradient.apply(twice, grad)


class _WeightGradient(torch.autograd.Function):
    """Gradient of the weight, linear in the input and in the gradient of the output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grad: Tensor) -> Tensor:
        ctx.save_for_backward(x, grad)
        return _correlate(x, grad)

    @staticmethod
    def backward(ctx: Any, twice: Tensor) -> tuple[Tensor, Tensor]:
        x, grad = ctx.saved_tensors
        return _InputGradient.apply(grad, twice), winograd_conv2d(x, twice)


def _kernels(weight: Tensor, turned: bool = False) -> Tensor:
    """(36, k, c) of (k, c, 3, 3), perhaps turned by half a circle."""
    of_kernel = _transforms(weight.dtype)[1]
    kernels = of_kernel.flip(1) if turned else of_kernel
    return (kernels @ weight.reshape(-1, _KERNEL**2).T).view(-1, *weight.shape[:2])


def _convolve(x: Tensor, kernels: Tensor) -> Tensor:
    """(n, k, h, w), channels-last, of (n, c, h, w) and (36, c, k)."""
    to_outputs, _, of_window = _transforms(x.dtype)
    _, channels, outputs = kernels.shape
    grid = _Grid(x)
    whole = (len(x), outputs, grid.rows * WINDOW_STEP, grid.columns * WINDOW_STEP)
    out = torch.empty(whole, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    blocks = _blocks_of(out.permute(0, 2, 3, 1))
    for images, rows in grid.runs():
        windows = _both_ways(of_window, grid.windows(images, rows), channels)
        found = _both_ways(to_outputs, torch.bmm(windows, kernels), outputs)
        target = blocks[:, :, images, rows]
        target.copy_(found.view(target.shape))
    if out.shape[2:] != x.shape[2:]:
        out = out[:, :, : x.shape[2], : x.shape[3]]
        out = out.clone(memory_format=torch.channels_last)
    return out


def _correlate(x: Tensor, grad: Tensor) -> Tensor:
    """(k, c, 3, 3) of the input (n, c, h, w) and the gradient of the output (n, k, h, w)."""
    to_outputs, of_kernel, of_window = _transforms(x.dtype)
    channels, outputs = x.shape[1], grad.shape[1]
    grid = _Grid(x)
    kernels = x.new_empty(_WINDOW**2, outputs, channels)
    for run, (images, rows) in enumerate(grid.runs()):
        windows = _both_ways(of_window, grid.windows(images, rows), channels)
        wanted = _both_ways(to_outputs.T, grid.blocks(grad, images, rows), outputs)
        # The first one takes the place of what stood there, with a beta of 0.
        kernels.baddbmm_(wanted.transpose(1, 2), windows, beta=min(run, 1))
    gradient = kernels.view(_WINDOW**2, -1).T @ of_kernel
    return gradient.view(outputs, channels, _KERNEL, _KERNEL)


def _both_ways(matrix: Tensor, squares: Tensor, channels: int) -> Tensor:
    """(p * p, s, channels) of s squares, q * q: a (p, q) matrix along their columns, then rows.

    One product with (p * p, q * q) numbers would multiply two to three times as often.
    """
    p, q = matrix.shape
    # Column by column: one product over all of them takes MKL more than half as long again.
    columns = torch.bmm(matrix.expand(q, p, q), squares.view(q, q, -1).transpose(0, 1))
    rows = torch.bmm(matrix.expand(p, p, q), columns.transpose(0, 1))
    return rows.view(p * p, -1, channels)


class _Grid:
    """Overlapping windows over a map with zeros around it; (n, c, h, w)."""

    def __init__(self, x: Tensor) -> None:
        self.rows, self.columns = (-(-size // WINDOW_STEP) for size in x.shape[2:])
        self._map = x.permute(0, 2, 3, 1)

    def runs(self) -> Iterator[tuple[slice, slice]]:
        """Images and rows of windows that are computed together."""
        at_once = _AT_ONCE * torch.get_num_threads() // self._map.shape[3]
        images = _even_share(len(self._map), at_once // (self.rows * self.columns))
        rows = _even_share(self.rows, at_once // self.columns)
        for image in range(0, len(self._map), images):
            for row in range(0, self.rows, rows):
                yield slice(image, image + images), slice(row, min(row + rows, self.rows))

    def windows(self, images: slice, rows: slice) -> Tensor:
        """(36, windows * c) numbers of some windows, each number of a window in a row."""
        strip = _padded(self._map[images], rows, self.columns, border=1)
        image, row, column, channel = strip.stride()
        windows = strip.as_strided(
            (_WINDOW, _WINDOW, len(strip), rows.stop - rows.start, self.columns, strip.shape[3]),
            (row, column, image, row * WINDOW_STEP, column * WINDOW_STEP, channel),
        )
        return windows.reshape(_WINDOW**2, -1)

    def blocks(self, grad: Tensor, images: slice, rows: slice) -> Tensor:
        """(16, windows * k) gradients (n, k, h, w) of some windows' outputs."""
        strip = _padded(grad.permute(0, 2, 3, 1)[images], rows, self.columns, border=0)
        return _blocks_of(strip).reshape(WINDOW_STEP**2, -1)


def _even_share(number: int, largest: int) -> int:
    """Of a number, in as few parts as can be of at most ``largest``, the largest part."""
    parts = -(-number // max(1, largest))
    return -(-number // parts)


def _blocks_of(whole: Tensor) -> Tensor:
    """(4, 4, n, rows, columns, k) view of (n, 4 * rows, 4 * columns, k), dense in its rows."""
    n, height, width, channels = whole.shape
    steps = (height // WINDOW_STEP, WINDOW_STEP, width // WINDOW_STEP, WINDOW_STEP)
    return whole.view(n, *steps, channels).permute(2, 4, 0, 1, 3, 5)


def _padded(whole: Tensor, rows: slice, columns: int, border: int) -> Tensor:
    """Whole blocks of some rows of blocks, with what is beside them and zeros outside the map.

    Args:
        whole: (n, h, w, c).
        rows: Of blocks.
        columns: Of blocks, of the whole map.
        border: Pixels beside the blocks.

    Returns:
        (n, 4 * rows + 2 * border, 4 * columns + 2 * border, c)
    """
    n, height, width, channels = whole.shape
    top, bottom = rows.start * WINDOW_STEP - border, rows.stop * WINDOW_STEP + border
    above, below = max(0, -top), max(0, bottom - height)
    inside = whole[:, top + above : bottom - below]
    wide = columns * WINDOW_STEP + 2 * border
    if wide == width and not above and not below:
        return inside.contiguous()
    padded = whole.new_empty(n, bottom - top, wide, channels)
    last = bottom - top - below
    padded[:, :above] = 0
    padded[:, last:] = 0
    padded[:, above:last, :border] = 0
    padded[:, above:last, border + width :] = 0
    padded[:, above:last, border : border + width] = inside
    return padded


@lru_cache(maxsize=8)
def _transforms(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """What multiplies products to outputs (4, 6), both ways; kernels (36, 9); windows (6, 6)."""
    finite = torch.tensor(_POINTS, dtype=torch.float64)
    gaps = finite[:, None] - finite
    gaps.fill_diagonal_(1)
    to_outputs, of_kernel = _powers(finite, WINDOW_STEP), _powers(finite, _KERNEL)
    of_kernel[:-1] /= gaps.prod(dim=1, keepdim=True)
    of_window = torch.zeros(_WINDOW, _WINDOW, dtype=torch.float64)
    for i in range(_WINDOW):
        # The polynomial that is 0 at all points but this one.
        roots = [point for j, point in enumerate(_POINTS) if j != i]
        polynomial = torch.ones(1, dtype=torch.float64)
        for root in roots:
            shifted = torch.cat([polynomial.new_zeros(1), polynomial])
            shifted[:-1] -= root * polynomial
            polynomial = shifted
        of_window[i, : len(polynomial)] = polynomial
    of_kernel = torch.kron(of_kernel, of_kernel)
    return to_outputs.T.to(dtype), of_kernel.to(dtype), of_window.to(dtype)


def _powers(points: Tensor, count: int) -> Tensor:
    """(points + 1, count): powers 0 and up of each point, and the highest alone at infinity."""
    at_infinity = points.new_zeros(1, count)
    at_infinity[0, -1] = 1
    return torch.cat([points[:, None] ** torch.arange(count), at_infinity])
