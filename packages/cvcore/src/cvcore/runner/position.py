"""Where a run stands inside its data, and how to come back to that place."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from cvcore.runner.random_state import get_random_state, set_random_state


@dataclass(frozen=True, slots=True)
class LoaderPosition:
    """A place in the middle of a pass over a loader."""

    batches: int  # taken from this pass so far
    random_state: dict[str, Any] | None  # when the pass began: shuffling samplers draw then


def batch_size_of(loader: Any) -> int | None:
    """Samples in a batch of ``loader``, if it tells."""
    size = getattr(loader, "batch_size", None)
    if size is None:
        size = getattr(getattr(loader, "batch_sampler", None), "batch_size", None)
    return size if isinstance(size, int) else None


class SkippingBatchSampler:
    """Batches of indices from ``skip`` on; the ones before are drawn and dropped.

    Args:
        batch_sampler: Gives the index lists of the whole pass.
        skip: Number of batches to drop.

    Attributes:
        random_state: In force while the batches are drawn and dropped, if it is set.
    """

    def __init__(self, batch_sampler: Iterable[Any], skip: int) -> None:
        self.batch_sampler = batch_sampler
        self.skip = skip
        self.random_state: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.batch_sampler)
        present = get_random_state()
        if self.random_state is not None:
            set_random_state(self.random_state)
        _drop(batches, self.skip)
        if self.random_state is not None:
            set_random_state(present)
        yield from batches

    def __len__(self) -> int:
        return max(0, len(self.batch_sampler) - self.skip)  # type: ignore[arg-type]


def continue_pass(loader: Iterable[Any], position: LoaderPosition) -> Iterator[Any]:
    """The rest of a pass that stood at ``position``, as if it had never been interrupted.

    A DataLoader over an indexed dataset does not read the samples it passes over. The random
    state is that of the beginning of the pass while the sampler shuffles, and as before once it
    has.
    """
    present = get_random_state()
    if position.random_state is not None:
        set_random_state(position.random_state)
    indexed = (
        isinstance(loader, DataLoader)
        and loader.batch_sampler is not None
        and not isinstance(loader.dataset, IterableDataset)
    )
    if indexed:
        sampler = SkippingBatchSampler(loader.batch_sampler, position.batches)  # type: ignore[attr-defined]
        batches = iter(_with_sampler(loader, sampler))
        # Without workers the sampler waits until the first batch is asked for.
        sampler.random_state = get_random_state()
    else:
        batches = iter(loader)
        _drop(batches, position.batches)
    set_random_state(present)
    return batches


def _drop(batches: Iterator[Any], count: int) -> None:
    for _ in itertools.islice(batches, count):
        pass


def _with_sampler(loader: Any, sampler: SkippingBatchSampler) -> DataLoader:
    """A loader like ``loader`` for one pass with other batches."""
    options: dict[str, Any] = {
        "num_workers": loader.num_workers,
        "collate_fn": loader.collate_fn,
        "pin_memory": loader.pin_memory,
        "timeout": loader.timeout,
        "worker_init_fn": loader.worker_init_fn,
        "generator": loader.generator,
    }
    if loader.num_workers > 0:
        options["multiprocessing_context"] = loader.multiprocessing_context
        options["prefetch_factor"] = loader.prefetch_factor
    return DataLoader(loader.dataset, batch_sampler=sampler, **options)
