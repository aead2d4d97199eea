"""Batches of images of one group (wide or high), in one process or shared among ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from cvcore.dist import init_random_seed
from detcore.datasets.samplers.order import generator_of, groups_of, own_place
from detcore.registries import SAMPLERS


def _grouped(
    flags: np.ndarray, multiple: int, samples_per_gpu: int, generator: torch.Generator
) -> list[int]:
    """Each group shuffled and filled up to `multiple` by repeating it; then batches shuffled."""
    pieces = []
    for group in np.unique(flags):
        members = torch.from_numpy(np.flatnonzero(flags == group))
        members = members[torch.randperm(len(members), generator=generator)]
        total = math.ceil(len(members) / multiple) * multiple
        pieces.append(members.repeat(math.ceil(total / len(members)))[:total])
    if not pieces:
        return []
    batches = torch.cat(pieces).view(-1, samples_per_gpu)
    return batches[torch.randperm(len(batches), generator=generator)].flatten().tolist()


def _grouped_length(flags: np.ndarray, multiple: int) -> int:
    sizes = np.bincount(flags) if len(flags) else np.zeros(0)
    return int((np.ceil(sizes / multiple) * multiple).sum())


@SAMPLERS.register_module()
class GroupSampler(Sampler):
    """Shuffles images so that each batch holds images of one group (wide or high).

    Args:
        dataset: Has ``flag``, the group of each image.
        samples_per_gpu: Images in a batch.
        seed: The order follows from it and the epoch; drawn anew by default.
    """

    def __init__(self, dataset: Any, samples_per_gpu: int = 1, seed: int | None = None) -> None:
        self.dataset = dataset
        self.samples_per_gpu = samples_per_gpu
        self.seed = init_random_seed(seed)
        self.epoch = 0
        self.flag = groups_of(dataset)
        self.num_samples = _grouped_length(self.flag, samples_per_gpu)

    def __iter__(self) -> Iterator[int]:
        generator = generator_of(self.seed, self.epoch)
        return iter(_grouped(self.flag, self.samples_per_gpu, self.samples_per_gpu, generator))

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch


@SAMPLERS.register_module()
class DistributedGroupSampler(Sampler):
    """Like `GroupSampler`, shared among ranks: each takes its part of one common order.

    Args:
        dataset: Has ``flag``, the group of each image.
        samples_per_gpu: Images in a rank's batch.
        num_replicas: Number of ranks; by default that of the process group.
        rank: Own rank; by default that in the process group.
        seed: The same on all ranks.
    """

    def __init__(
        self,
        dataset: Any,
        samples_per_gpu: int = 1,
        num_replicas: int | None = None,
        rank: int | None = None,
        seed: int | None = 0,
    ) -> None:
        self.dataset = dataset
        self.samples_per_gpu = samples_per_gpu
        self.num_replicas, self.rank = own_place(num_replicas, rank)
        self.seed = 0 if seed is None else seed
        self.epoch = 0
        self.flag = groups_of(dataset)
        self.total_size = _grouped_length(self.flag, samples_per_gpu * self.num_replicas)
        self.num_samples = self.total_size // self.num_replicas

    def __iter__(self) -> Iterator[int]:
        multiple = self.samples_per_gpu * self.num_replicas
        generator = generator_of(self.seed, self.epoch)
        order = _grouped(self.flag, multiple, self.samples_per_gpu, generator)
        begin = self.num_samples * self.rank
        return iter(order[begin : begin + self.num_samples])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch
