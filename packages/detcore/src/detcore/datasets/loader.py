"""A DataLoader from a dataset: sampler, seeded samples, collate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, SequentialSampler

from cvcore.dist import get_dist_info, init_random_seed
from cvcore.dist import worker_init_fn as seed_worker
from cvcore.errors import ArgumentError, hint
from cvcore.image import fast
from cvcore.interrupt import end_of_process, leave_signals_to_parent
from cvcore.parallel import collate
from detcore.datasets.samplers import (
    ClassAwareSampler,
    DistributedGroupSampler,
    DistributedSampler,
    GroupSampler,
    InfiniteBatchSampler,
    InfiniteGroupBatchSampler,
)
from detcore.datasets.samplers.seeded import SeededBatches, SeededDataset, SeededSampler
from detcore.errors import check_option

_LOADER_OPTIONS = (
    "drop_last",
    "in_order",
    "multiprocessing_context",
    "pin_memory",
    "pin_memory_device",
    "prefetch_factor",
    "timeout",
)


def build_dataloader(
    dataset: Any,
    samples_per_gpu: int,
    workers_per_gpu: int,
    num_gpus: int = 1,
    dist: bool = True,
    shuffle: bool = True,
    seed: int | None = None,
    runner_type: str = "EpochBasedRunner",
    persistent_workers: bool = False,
    class_aware_sampler: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> DataLoader:
    """Build the loader of a dataset.

    Every sample is made under randomness of its own, from (seed, epoch, index), so the batches do
    not depend on the number of workers.

    Args:
        dataset: Training needs its ``flag``, the group of each image.
        samples_per_gpu: Images in the batch of one device.
        workers_per_gpu: Worker processes of one device; 0 makes samples in this process.
        num_gpus: Devices that this process feeds, when not `dist`.
        dist: One process a device: each loads its own share.
        shuffle: Shuffle in every epoch.
        seed: Seed of the order and of the samples; drawn, the same for all ranks, by default.
        runner_type: ``"EpochBasedRunner"``, or ``"IterBasedRunner"`` for endless batches.
        persistent_workers: Keep workers from one epoch to the next.
        class_aware_sampler: ``dict(num_sample_class=1)`` draws classes evenly.
        kwargs: Further options of torch's DataLoader, such as ``pin_memory``.
    """
    unknown = [name for name in kwargs if name not in _LOADER_OPTIONS]
    if unknown:
        raise ArgumentError(
            f"build_dataloader: {unknown[0]!r} is no option of the loader"
            f"{hint(unknown[0], _LOADER_OPTIONS)}"
        )
    check_option(
        "build_dataloader", "runner_type", runner_type, ("EpochBasedRunner", "IterBasedRunner")
    )
    rank, world_size = get_dist_info()
    devices = 1 if dist else num_gpus
    batch_size, num_workers = devices * samples_per_gpu, devices * workers_per_gpu
    if num_workers:
        fast.load_libraries()
    seed = init_random_seed(seed)
    ranks = (world_size, rank) if dist else (1, 0)
    if runner_type == "IterBasedRunner":
        kind = InfiniteGroupBatchSampler if shuffle else InfiniteBatchSampler
        batches = kind(dataset, batch_size, *ranks, seed=seed, shuffle=shuffle)
        source: dict[str, Any] = {"batch_sampler": SeededBatches(batches)}
    else:
        sampler = _epoch_sampler(
            dataset, samples_per_gpu, ranks, dist, shuffle, seed, class_aware_sampler
        )
        source = {"batch_size": batch_size, "sampler": SeededSampler(sampler)}
    return DataLoader(
        SeededDataset(dataset, seed),
        **source,
        num_workers=num_workers,
        collate_fn=partial(collate, samples_per_gpu=samples_per_gpu),
        pin_memory=kwargs.pop("pin_memory", False),
        worker_init_fn=partial(
            worker_init_fn,
            num_workers=num_workers,
            rank=rank,
            seed=seed,
            end_of_parent=end_of_process() if num_workers else None,
        ),
        persistent_workers=persistent_workers and num_workers > 0,
        **kwargs,
    )


def _epoch_sampler(
    dataset: Any,
    samples_per_gpu: int,
    ranks: tuple[int, int],
    dist: bool,
    shuffle: bool,
    seed: int,
    class_aware: Mapping[str, Any] | None,
) -> Any:
    if class_aware is not None:
        number = class_aware.get("num_sample_class", 1)
        return ClassAwareSampler(
            dataset, samples_per_gpu, *ranks, seed=seed, num_sample_class=number
        )
    if dist and shuffle:
        return DistributedGroupSampler(dataset, samples_per_gpu, *ranks, seed=seed)
    if dist:
        return DistributedSampler(dataset, *ranks, shuffle=False, seed=seed)
    if shuffle:
        return GroupSampler(dataset, samples_per_gpu, seed=seed)
    return SequentialSampler(dataset)


def worker_init_fn(
    worker_id: int, num_workers: int, rank: int, seed: int, end_of_parent: Any = None
) -> None:
    """Prepare a worker process: its own seed, and deaf to signals, which the main one handles.

    Args:
        worker_id: Number of the worker within its loader.
        num_workers: Workers of the loader.
        rank: Rank of the process that owns the loader.
        seed: Seed of the run.
        end_of_parent: What `cvcore.interrupt.end_of_process` gave in the main process.
    """
    leave_signals_to_parent(end_of_parent)
    seed_worker(worker_id, num_workers, rank, seed)
