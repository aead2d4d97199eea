"""Endless batches, for training by iterations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler

from cvcore.dist import init_random_seed
from detcore.datasets.samplers.order import generator_of, groups_of, own_place
from detcore.errors import OptionError
from detcore.registries import SAMPLERS


class _InfiniteIndices(Sampler):
    """A rank's share of an endless series of shuffles (or of plain passes) over the dataset."""

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        world_size: int | None = None,
        rank: int | None = None,
        seed: int | None = 0,
        shuffle: bool = True,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.world_size, self.rank = own_place(world_size, rank)
        self.seed = init_random_seed(seed)
        self.shuffle = shuffle
        self.size = len(dataset)
        if not self.size:
            raise OptionError(f"{type(self).__name__}: the dataset is empty")

    def _indices(self) -> Iterator[int]:
        generator = generator_of(self.seed, 0)
        offset = 0  # of this pass within the endless series, modulo the number of ranks
        while True:
            order = (
                torch.randperm(self.size, generator=generator)
                if self.shuffle
                else torch.arange(self.size)
            )
            yield from order[(self.rank - offset) % self.world_size :: self.world_size].tolist()
            offset = (offset + self.size) % self.world_size

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Nothing changes: an endless series has no epochs."""


@SAMPLERS.register_module()
class InfiniteGroupBatchSampler(_InfiniteIndices):
    """Endless batches of images of one group, for training by iterations.

    Args:
        dataset: Has ``flag``, the group of each image.
        batch_size: Images in a rank's batch.
        world_size: Number of ranks; by default that of the process group.
        rank: Own rank; by default that in the process group.
        seed: Drawn and agreed on by all ranks where it is None.
        shuffle: Shuffle in every pass.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        world_size: int | None = None,
        rank: int | None = None,
        seed: int | None = 0,
        shuffle: bool = True,
    ) -> None:
        super().__init__(dataset, batch_size, world_size, rank, seed, shuffle)
        self.flag = groups_of(dataset)

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[int, list[int]] = {}
        for index in self._indices():
            batch = waiting.setdefault(int(self.flag[index]), [])
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                waiting[int(self.flag[index])] = []


@SAMPLERS.register_module()
class InfiniteBatchSampler(_InfiniteIndices):
    """Endless batches, for training by iterations; arguments as of `InfiniteGroupBatchSampler`."""

    def __iter__(self) -> Iterator[list[int]]:
        indices = self._indices()
        while True:
            yield [next(indices) for _ in range(self.batch_size)]
