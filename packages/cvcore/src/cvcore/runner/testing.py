"""Running a model over a loader, on one process or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from cvcore.dist import gather_or_leave, get_dist_info, is_distributed, patient_group
from cvcore.interrupt import noted_signal
from cvcore.parallel import MMFullyShardedDataParallel
from cvcore.progress_bar import ProgressBar
from cvcore.runner.fetch import next_batch
from cvcore.runner.stop import stop_if_asked


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
    for batch in until_asked_to_stop(model, data_loader):
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
        tmpdir: Accepted for old configs; results travel through process groups.
        gpu_collect: Collect through the main process group, nccl where CUDA is there.

    Returns:
        On rank 0 every result, in the dataset's order; None on the others.
    """
    model.eval()
    mine: list[Any] = []
    rank, world_size = get_dist_info()
    size = len(data_loader.dataset)
    bar = ProgressBar(size) if rank == 0 else None
    for batch in until_asked_to_stop(model, data_loader):
        found = model(return_loss=False, **batch)
        mine.extend(found)
        if bar is not None and bar.completed < size:
            bar.update(min(len(found) * world_size, size - bar.completed))
    collect = collect_results_gpu if gpu_collect else collect_results_cpu
    return collect(mine, size)


def until_asked_to_stop(model: nn.Module, data_loader: Iterable[Any]) -> Iterator[Any]:
    """Batches of a loader, up to the one at which a signal asks this process to end.

    On a single process that raises at once; several ranks leave together, when the results are
    collected, or at each batch if the model is sharded and all ranks have to run it.

    Raises:
        Interrupted: A signal asked for it.
    """
    batches = iter(data_loader)
    together = isinstance(model, MMFullyShardedDataParallel)
    while together or not (is_distributed() and noted_signal()):
        if together:
            stop_if_asked()
        try:
            batch = next_batch(batches)
        except StopIteration:
            return
        yield batch


def collect_results_cpu(
    result_part: Sequence[Any], size: int, tmpdir: str | None = None
) -> list[Any] | None:
    """Put together what all ranks found, through the memory of the CPU.

    Ranks may come here at very different times.

    Args:
        result_part: This rank's results: those of the samples rank, rank + world size, ...
        size: Number of samples; what samplers repeated to come out even is dropped.
        tmpdir: Accepted for old callers; nothing goes through files.

    Returns:
        All results in order on rank 0; None on the others.

    Raises:
        Interrupted: On every rank, if a signal asked one of them to end.
    """
    return _dealt_back(gather_or_leave(result_part, patient_group()), size)


def collect_results_gpu(result_part: Sequence[Any], size: int) -> list[Any] | None:
    """As :func:`collect_results_cpu`, through the main group: faster where that is nccl."""
    return _dealt_back(gather_or_leave(result_part), size)


def _dealt_back(parts: Sequence[Sequence[Any]], size: int) -> list[Any] | None:
    if get_dist_info()[0] != 0:
        return None
    longest = max(len(part) for part in parts)
    dealt = [part[turn] for turn in range(longest) for part in parts if turn < len(part)]
    return dealt[:size]
