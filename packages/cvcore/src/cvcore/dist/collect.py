"""Reducing, gathering and broadcasting; each is the identity in a process on its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, distributed

from cvcore.dist.env import get_dist_info, is_distributed, is_main

P = ParamSpec("P")
R = TypeVar("R")


def master_only(function: Callable[P, R]) -> Callable[P, R | None]:
    """Decorator: run ``function`` on rank 0 and return None on the others."""

    @functools.wraps(function)
    def on_master(*args: P.args, **kwargs: P.kwargs) -> R | None:
        return function(*args, **kwargs) if is_main() else None

    return on_master


def barrier() -> None:
    """Wait until every rank has come here."""
    if is_distributed():
        distributed.barrier()


def communication_device() -> torch.device:
    """The device whose tensors the process group can carry."""
    if is_distributed() and distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def broadcast_object(value: Any, source: int = 0, group: Any = None) -> Any:
    """What rank ``source`` passed as ``value``, on every rank; any object that pickles.

    Args:
        value: Only that of ``source`` counts.
        source: A rank.
        group: A process group of all ranks, such as :func:`~cvcore.dist.patient_group`; by
            default the main one.
    """
    if get_dist_info()[1] == 1:
        return value
    box = [value]
    device = communication_device() if group is None else torch.device("cpu")
    distributed.broadcast_object_list(box, src=source, group=group, device=device)
    return box[0]


def all_gather_object(value: Any, group: Any = None) -> list[Any]:
    """Every rank's ``value``, in rank order, on every rank; any object that pickles.

    Args:
        value: This rank's.
        group: As for :func:`broadcast_object`.
    """
    world_size = get_dist_info()[1]
    if world_size == 1:
        return [value]
    gathered = [None] * world_size
    distributed.all_gather_object(gathered, value, group=group)
    return gathered


def all_reduce_mean(tensor: Tensor) -> Tensor:
    """The mean of ``tensor`` over ranks, as a new tensor without gradient."""
    world_size = get_dist_info()[1]
    if world_size == 1:
        return tensor
    mean = tensor.detach().clone().div_(world_size)
    distributed.all_reduce(mean)
    return mean


def reduce_dict(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over ranks of scalar tensors, all in one message; every rank has the same keys."""
    if get_dist_info()[1] == 1 or not values:
        return dict(values)
    stacked = torch.stack([value.detach().float().reshape(()) for value in values.values()])
    return dict(zip(values, all_reduce_mean(stacked).unbind(), strict=True))


def allreduce_params(
    params: Iterable[Tensor], coalesce: bool = True, bucket_size_mb: float = -1
) -> None:
    """Average parameters or buffers over ranks, in place.

    Args:
        params: Tensors in the same order on every rank. Integers, which are counters of steps,
            take the largest value of all ranks.
        coalesce: Send many tensors in one message.
        bucket_size_mb: Largest message in MB when coalescing; -1 for no limit.
    """
    _average([param.data for param in params], coalesce, bucket_size_mb)


def allreduce_grads(
    params: Iterable[Tensor], coalesce: bool = True, bucket_size_mb: float = -1
) -> None:
    """Average the gradients of ``params`` over ranks, in place; arguments as above."""
    gradients = [
        param.grad.data for param in params if param.requires_grad and param.grad is not None
    ]
    _average(gradients, coalesce, bucket_size_mb)


def _average(tensors: list[Tensor], coalesce: bool, bucket_size_mb: float) -> None:
    world_size = get_dist_info()[1]
    if world_size == 1:
        return
    limit = bucket_size_mb * 2**20 if coalesce else 0
    for bucket in _buckets(tensors, limit if limit >= 0 else float("inf")):
        flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
        if flat.is_floating_point():
            distributed.all_reduce(flat.div_(world_size))
        else:
            distributed.all_reduce(flat, op=distributed.ReduceOp.MAX)
        pieces = flat.split([tensor.numel() for tensor in bucket])
        for tensor, piece in zip(bucket, pieces, strict=True):
            tensor.copy_(piece.view_as(tensor))


def _buckets(tensors: list[Tensor], limit: float) -> Iterator[list[Tensor]]:
    """Groups of one dtype and at most ``limit`` bytes; a tensor above it goes alone."""
    by_dtype: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        by_dtype.setdefault(tensor.dtype, []).append(tensor)
    for group in by_dtype.values():
        bucket: list[Tensor] = []
        size = 0
        for tensor in group:
            num_bytes = tensor.numel() * tensor.element_size()
            if bucket and size + num_bytes > limit:
                yield bucket
                bucket, size = [], 0
            bucket.append(tensor)
            size += num_bytes
        yield bucket
