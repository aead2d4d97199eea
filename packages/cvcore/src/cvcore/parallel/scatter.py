"""Move a batch to one device, unwrapping its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cvcore.errors import DistributedError
from cvcore.parallel.data_container import DataContainer

Device: TypeAlias = torch.device | str | int


def as_device(device: Device) -> torch.device:
    """A device from a CUDA index, -1 for the CPU, or anything that torch takes."""
    if isinstance(device, int):
        return torch.device("cpu") if device < 0 else torch.device("cuda", device)
    return torch.device(device)


def move(value: Any, device: torch.device) -> Any:
    """``value`` with its tensors on ``device`` and its containers replaced by their one group."""
    if isinstance(value, DataContainer):
        return _unwrap(value, device)
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: move(item, device) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(move(item, device) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(move(item, device) for item in value)
    return value


def _unwrap(container: DataContainer, device: torch.device) -> Any:
    groups = container.data
    if not isinstance(groups, list) or len(groups) != 1:
        count = len(groups) if isinstance(groups, list) else "no"
        raise DistributedError(
            f"a batch for one device should hold one group of samples, not {count}; collate with "
            "samples_per_gpu equal to the batch size, and run one process a device "
            "(torchrun --nproc_per_node=N)"
        )
    return groups[0] if container.cpu_only else move(groups[0], device)


def scatter(inputs: Any, target_gpus: Sequence[Device], dim: int = 0) -> list[Any]:
    """``inputs`` on the one device of ``target_gpus``, as a list of one.

    Args:
        inputs: Tensors, containers and plain values, however nested.
        target_gpus: One CUDA index, -1 for the CPU, or a torch device.
        dim: The dimension that holds the samples; 0, since a batch is never split here.

    Raises:
        DistributedError: More than one device, or a batch that was collated for several.
    """
    if len(target_gpus) != 1 or dim != 0:
        raise DistributedError(
            f"scatter: one device and dim 0, not {list(target_gpus)} and dim {dim}; for several "
            "devices run one process each with MMDistributedDataParallel"
        )
    return [move(inputs, as_device(target_gpus[0]))]


def scatter_kwargs(
    inputs: Sequence[Any], kwargs: Mapping[str, Any], target_gpus: Sequence[Device], dim: int = 0
) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """Positional and keyword arguments of a call, each moved by :func:`scatter`."""
    return scatter(tuple(inputs), target_gpus, dim), scatter(dict(kwargs), target_gpus, dim)
