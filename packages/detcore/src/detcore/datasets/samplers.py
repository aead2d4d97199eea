"""Which images form an epoch, in which order: grouped by aspect ratio, shared among ranks.

Every order follows from (seed, epoch) alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from cvcore.dist import get_dist_info, init_random_seed
from detcore.errors import OptionError
from detcore.registries import SAMPLERS


def _generator(seed: int, epoch: int) -> torch.Generator:
    generator = torch.Generator()
    generator.manual_seed(seed + epoch)
    return generator


def _place(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """Number of ranks and own rank; those of the process group where not given."""
    own_rank, world_size = get_dist_info()
    return (
        world_size if num_replicas is None else num_replicas,
        own_rank if rank is None else rank,
    )


def _flags(dataset: Any) -> np.ndarray:
    if not hasattr(dataset, "flag"):
        raise OptionError(
            f"{type(dataset).__name__} has no `flag` to group images by; it is set in training "
            "datasets (test_mode=False)"
        )
    return np.asarray(dataset.flag).astype(np.int64)


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
        self.flag = _flags(dataset)
        self.num_samples = _grouped_length(self.flag, samples_per_gpu)

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self.seed, self.epoch)
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
        self.num_replicas, self.rank = _place(num_replicas, rank)
        self.seed = 0 if seed is None else seed
        self.epoch = 0
        self.flag = _flags(dataset)
        self.total_size = _grouped_length(self.flag, samples_per_gpu * self.num_replicas)
        self.num_samples = self.total_size // self.num_replicas

    def __iter__(self) -> Iterator[int]:
        multiple = self.samples_per_gpu * self.num_replicas
        generator = _generator(self.seed, self.epoch)
        order = _grouped(self.flag, multiple, self.samples_per_gpu, generator)
        begin = self.num_samples * self.rank
        return iter(order[begin : begin + self.num_samples])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch


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
        self.num_replicas, self.rank = _place(num_replicas, rank)
        self.shuffle = shuffle
        self.seed = init_random_seed(seed)
        self.epoch = 0
        self.num_samples = math.ceil(len(dataset) / self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            order = torch.randperm(size, generator=_generator(self.seed, self.epoch))
        else:
            order = torch.arange(size)
        filled = order.repeat(math.ceil(self.total_size / max(size, 1)))[: self.total_size]
        return iter(filled[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch


class _InfiniteIndices(Sampler):
    """A rank's share of an endless series of shuffles (or of plain passes) over the dataset."""

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        world_size: int | None,
        rank: int | None,
        seed: int | None,
        shuffle: bool,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.world_size, self.rank = _place(world_size, rank)
        self.seed = init_random_seed(seed)
        self.shuffle = shuffle
        self.size = len(dataset)
        if not self.size:
            raise OptionError(f"{type(self).__name__}: the dataset is empty")

    def _indices(self) -> Iterator[int]:
        generator = _generator(self.seed, 0)
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
        self.flag = _flags(dataset)

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

    def __iter__(self) -> Iterator[list[int]]:
        indices = self._indices()
        while True:
            yield [next(indices) for _ in range(self.batch_size)]


@SAMPLERS.register_module()
class ClassAwareSampler(Sampler):
    """Draws classes evenly, and for each of them images that show it.

    Shen et al., "Relay Backpropagation for Effective Learning of Deep CNNs", ECCV 2016.

    Args:
        dataset: Has ``get_cat2imgs()``, label -> images.
        samples_per_gpu: Images in a rank's batch.
        num_replicas: Number of ranks; by default that of the process group.
        rank: Own rank; by default that in the process group.
        seed: The same on all ranks.
        num_sample_class: Images drawn each time a class has its turn.
    """

    def __init__(
        self,
        dataset: Any,
        samples_per_gpu: int = 1,
        num_replicas: int | None = None,
        rank: int | None = None,
        seed: int | None = 0,
        num_sample_class: int = 1,
    ) -> None:
        if num_sample_class < 1:
            raise OptionError(f"ClassAwareSampler: num_sample_class={num_sample_class} is below 1")
        self.dataset = dataset
        self.samples_per_gpu = samples_per_gpu
        self.num_replicas, self.rank = _place(num_replicas, rank)
        self.seed = 0 if seed is None else seed
        self.num_sample_class = num_sample_class
        self.epoch = 0
        self.cat_dict = {k: v for k, v in dataset.get_cat2imgs().items() if len(v)}
        if not self.cat_dict:
            raise OptionError("ClassAwareSampler: no image shows any of the classes")
        share = self.num_replicas * samples_per_gpu
        self.num_samples = math.ceil(len(dataset) / share) * samples_per_gpu
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self.seed, self.epoch)
        classes = _cycle(list(self.cat_dict), generator)
        images = {label: _cycle(members, generator) for label, members in self.cat_dict.items()}
        order: list[int] = []
        while len(order) < self.total_size:
            label = next(classes)
            order += [next(images[label]) for _ in range(self.num_sample_class)]
        begin = self.num_samples * self.rank
        return iter(order[begin : min(begin + self.num_samples, self.total_size)])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch


def _cycle(items: Sequence[int], generator: torch.Generator) -> Iterator[int]:
    """Endless shuffles of the items."""
    while True:
        for i in torch.randperm(len(items), generator=generator).tolist():
            yield items[i]
