"""Images shared among ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler

from cvcore.dist import init_random_seed
from detcore.datasets.samplers.order import generator_of, own_place
from detcore.registries import SAMPLERS


@SAMPLERS.register_module()
class DistributedSampler(Sampler):
    """Shares images among ranks, every rank the same number; the first ones fill the last round.

    Args:
        dataset: Anything with a length.
        num_replicas: Number of ranks; by default that of the process group.
        rank: Own rank; by default that in the process group.
        shuffle: Shuffle in every epoch.
        seed: Drawn and agreed on by all ranks where it is None.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int | None = 0,
    ) -> None:
        self.dataset = dataset
        self.num_replicas, self.rank = own_place(num_replicas, rank)
        self.shuffle = shuffle
        self.seed = init_random_seed(seed)
        self.epoch = 0
        self.num_samples = math.ceil(len(dataset) / self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            order = torch.randperm(size, generator=generator_of(self.seed, self.epoch))
        else:
            order = torch.arange(size)
        filled = order.repeat(math.ceil(self.total_size / max(size, 1)))[: self.total_size]
        return iter(filled[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch
