"""Lists of tensors: one an image or one a level, turned round and stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor


def multi_apply(func: Callable[..., Any], *args: Iterable[Any], **kwargs: Any) -> tuple[Any, ...]:
    """Call ``func`` on the first items of ``args``, then the second, and so on.

    Args:
        func: returns a tuple.
        args: iterables of one length.
        kwargs: given to every call.

    Returns:
        For every place of the tuple, the list of what the calls returned there.
    """
    called = map(partial(func, **kwargs) if kwargs else func, *args)
    return tuple(map(list, zip(*called, strict=True)))


def unmap(data: Tensor, count: int, inds: Tensor, fill: float = 0) -> Tensor:
    """(count, ...) that holds ``data`` where the (count,) bool ``inds`` is True, else ``fill``."""
    result = data.new_full((count, *data.shape[1:]), fill)
    result[inds.bool()] = data
    return result


def images_to_levels(target: Sequence[Tensor], num_levels: Sequence[int]) -> list[Tensor]:
    """Targets by image, each (sum of ``num_levels``, ...), as targets by level.

    Returns:
        One (images, number of priors, ...) a level.
    """
    return list(torch.stack(list(target)).split(list(num_levels), dim=1))
