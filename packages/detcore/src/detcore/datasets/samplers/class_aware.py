"""Images drawn by the classes that they show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from detcore.datasets.samplers.order import generator_of, own_place
from detcore.errors import OptionError
from detcore.registries import SAMPLERS


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
        self.num_replicas, self.rank = own_place(num_replicas, rank)
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
        generator = generator_of(self.seed, self.epoch)
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
