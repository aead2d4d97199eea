"""Running a model over a loader, on one process or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from cvcore.dist import all_gather_object, get_dist_info
from cvcore.progress_bar import ProgressBar


@torch.no_grad()
def single_gpu_test(model: nn.Module, data_loader: DataLoader) -> list[Any]:
    """Results of every sample, in the loader's order.

    Args:
        model: Called as ``model(return_loss=False, **batch)``; returns a list, one result a sample.
        data_loader: Gives batches as dicts.
    """
    model.eval()
    results: list[Any] = []
    bar = ProgressBar(len(data_loader.dataset))
    for batch in data_loader:
        found = model(return_loss=False, **batch)
        results.extend(found)
        if found:
            bar.update(len(found))
    return results


@torch.no_grad()
def multi_gpu_test(
    model: nn.Module,
    data_loader: DataLoader,
    tmpdir: str | None = None,
    gpu_collect: bool = False,
) -> list[Any] | None:
    """As :func:`single_gpu_test`, with the samples dealt out to all ranks.

    Args:
        model: As there.
        data_loader: This rank's batches; its sampler deals samples out one by one.
        tmpdir: Accepted for old configs; results travel through the process group.
        gpu_collect: As ``tmpdir``.

    Returns:
        On rank 0 every result, in the dataset's order; None on the others.
    """
    model.eval()
    mine: list[Any] = []
    rank, world_size = get_dist_info()
    size = len(data_loader.dataset)
    bar = ProgressBar(size) if rank == 0 else None
    for batch in data_loader:
        found = model(return_loss=False, **batch)
        mine.extend(found)
        if bar is not None and bar.completed < size:
            bar.update(min(len(found) * world_size, size - bar.completed))
    collect = collect_results_gpu if gpu_collect else collect_results_cpu
    return collect(mine, size)


def collect_results_cpu(
    result_part: Sequence[Any], size: int, tmpdir: str | None = None
) -> list[Any] | None:
    """Put together what all ranks found.

    Args:
        result_part: This rank's results: those of the samples rank, rank + world size, ...
        size: Number of samples; what samplers repeated to come out even is dropped.
        tmpdir: Accepted for old callers; nothing goes through files.

    Returns:
        All results in order on rank 0; None on the others.
    """
    return _collect(result_part, size)


def collect_results_gpu(result_part: Sequence[Any], size: int) -> list[Any] | None:
    """As :func:`collect_results_cpu`."""
    return _collect(result_part, size)


def _collect(result_part: Sequence[Any], size: int) -> list[Any] | None:
    parts = all_gather_object(list(result_part))
    if get_dist_info()[0] != 0:
        return None
    longest = max(len(part) for part in parts)
    dealt = [part[turn] for turn in range(longest) for part in parts if turn < len(part)]
    return dealt[:size]
