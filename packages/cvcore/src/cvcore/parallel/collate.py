"""Samples to a batch: each image is copied once, to its place in the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from cvcore.errors import CvcoreError
from cvcore.parallel.data_container import DataContainer


def collate(batch: Sequence[Any], samples_per_gpu: int = 1) -> Any:
    """Batch samples that may hold :class:`DataContainer` values, however nested.

    Args:
        batch: Samples of one structure: mappings, sequences, containers, tensors or numbers.
        samples_per_gpu: Samples that make one entry of a container's list.

    Returns:
        The structure of one sample. A container's ``data`` is a list of groups of
        ``samples_per_gpu``: stacked and padded where it says so, else lists of the values.
        Everything else is batched as torch's loader does.

    Raises:
        CvcoreError: Tensors to be stacked differ in more than the dimensions that are padded.
    """
    if not isinstance(batch, Sequence):
        raise CvcoreError(f"collate: the batch should be a list of samples, not {type(batch)}")
    first = batch[0]
    if isinstance(first, DataContainer):
        return _collate_containers(batch, samples_per_gpu)
    if isinstance(first, Mapping):
        return {key: collate([sample[key] for sample in batch], samples_per_gpu) for key in first}
    if isinstance(first, Sequence) and not isinstance(first, str | bytes):
        return [collate(values, samples_per_gpu) for values in zip(*batch, strict=True)]
    return default_collate(batch)


def _collate_containers(batch: Sequence[DataContainer], samples_per_gpu: int) -> DataContainer:
    first = batch[0]
    values = [container.data for container in batch]
    groups: list[Any] = [
        values[start : start + samples_per_gpu] for start in range(0, len(values), samples_per_gpu)
    ]
    if first.stack and not first.cpu_only:
        groups = [
            stack_padded(group, first.pad_dims or 0, first.padding_value)
            if isinstance(group[0], Tensor)
            else default_collate(group)
            for group in groups
        ]
    return DataContainer(groups, first.stack, first.padding_value, cpu_only=first.cpu_only)


def stack_padded(tensors: Sequence[Tensor], pad_dims: int, padding_value: float = 0) -> Tensor:
    """Stack tensors whose last ``pad_dims`` sizes may differ, padding at the end of each.

    In a loader's worker the batch is made in shared memory, so that it is not copied on its way
    to the main process; channels-last images give a channels-last batch.
    """
    first = tensors[0]
    fixed = first.dim() - pad_dims
    for tensor in tensors:
        if tensor.shape[:fixed] != first.shape[:fixed] or tensor.dtype != first.dtype:
            raise CvcoreError(
                f"collate: cannot stack {tuple(tensor.shape)} {tensor.dtype} with "
                f"{tuple(first.shape)} {first.dtype}: only the last {pad_dims} dimensions are "
                "padded, and all samples need one dtype"
            )
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stacked = _allocate(len(tensors), shape, first)
    for index, tensor in enumerate(tensors):
        place = stacked[index]
        for dim in range(fixed, first.dim()):
            size = tensor.shape[dim]
            if size < shape[dim]:
                place.narrow(dim, size, shape[dim] - size).fill_(padding_value)
                place = place.narrow(dim, 0, size)
        place.copy_(tensor)
    return stacked


def _allocate(count: int, shape: Sequence[int], like: Tensor) -> Tensor:
    """An empty (count, *shape) tensor in the memory format of ``like``."""
    channels_last = like.dim() == 3 and like.stride(0) == 1 and like.shape[0] > 1
    order = [0, 2, 3, 1] if channels_last else list(range(len(shape) + 1))
    full = [count, *shape]
    sizes = [full[dim] for dim in order]
    if get_worker_info() is not None and like.device.type == "cpu":
        num_bytes = like.element_size() * torch.Size(full).numel()
        storage = torch.UntypedStorage._new_shared(num_bytes)
        strides = torch.empty(sizes, device="meta").stride()
        empty = like.new_empty(0).set_(storage, 0, sizes, strides)
    else:
        empty = like.new_empty(sizes)
    return empty.permute(0, 3, 1, 2) if channels_last else empty
