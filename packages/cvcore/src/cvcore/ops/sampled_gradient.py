"""Gradients of a 3x3 convolution of whose outputs few have one.

Of all its outputs, a head that learns from a sample of anchors is given gradients at the sampled
places alone. What those saw, and where their gradients go, is a small part of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor

_KERNEL = 3
_MOST = 8  # one place in so many at most, which takes under half the time of whole maps


def sampled_places(grad: Tensor) -> Tensor | None:
    """Find the outputs with a gradient, if they are few.

    Args:
        grad: (n, k, h, w), of the output.

    Returns:
        (p,) int64, counted along images, rows and columns. None where they are many, and where the
        gradient is to be differentiated in its turn, for then its zeros count as well.
    """
    if torch.is_grad_enabled():
        return None
    by_places = _by_places(grad)
    # One after the other: aminmax takes four times as long as both.
    has_gradient = (by_places.amin(dim=1) != 0) | (by_places.amax(dim=1) != 0)
    places = has_gradient.nonzero().flatten()
    return places if len(places) * _MOST <= len(by_places) else None


def gradients_of_places(
    places: Tensor,
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    for_x: bool = True,
    for_weight: bool = True,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the input (n, c, h, w) and of the weight (k, c, 3, 3), those asked for.

    Args:
        places: (p,) int64, of the outputs that have a gradient.
        grad: (n, k, h, w), of the output.
        x: (n, c, h, w), what was convolved, with one row of zeros around the map.
        weight: (k, c, 3, 3).
        for_x: whether the first is wanted.
        for_weight: whether the second is wanted.
    """
    images, channels, height, width = x.shape
    of_places = _by_places(grad)[places]
    seen, outside = _neighbours(places, height, width)
    grad_x = grad_weight = None
    if for_weight:
        inputs = _by_places(x)[seen]
        inputs[outside] = 0
        kernels = (of_places.T @ inputs.flatten(1)).view(-1, _KERNEL, _KERNEL, channels)
        grad_weight = kernels.permute(0, 3, 1, 2).contiguous()
    if for_x:
        spread = of_places @ weight.permute(0, 2, 3, 1).flatten(1)
        spread = spread.view(-1, _KERNEL**2, channels)
        spread[outside] = 0
        whole = x.new_zeros(images * height * width, channels)
        whole.index_add_(0, seen.flatten(), spread.flatten(0, 1))
        grad_x = whole.view(images, height, width, channels).permute(0, 3, 1, 2)
    return grad_x, grad_weight


def _by_places(maps: Tensor) -> Tensor:
    """(n * h * w, c) of (n, c, h, w)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _neighbours(places: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(p, 9) places that a kernel at each place looks at, and which of them are beside the map."""
    steps = torch.arange(-1, 2, device=places.device)
    rows = (places // width % height)[:, None] + steps
    columns = (places % width)[:, None] + steps
    beside = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
    outside = beside[0][:, :, None] | beside[1][:, None]
    seen = places[:, None, None] + width * steps[:, None] + steps
    return seen.masked_fill(outside, 0).flatten(1), outside.flatten(1)
