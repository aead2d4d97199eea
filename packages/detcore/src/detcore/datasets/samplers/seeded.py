"""Samples whose randomness is their own: from (seed, epoch, index), whatever worker makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import Dataset, Sampler

from cvcore.dist.seed import sample_randomness
from cvcore.errors import CvcoreError
from detcore.errors import DetcoreError

Key = tuple[int, int]  # epoch, index


class SampleError(DetcoreError):
    """A sample cannot be made; the message names its index and file."""


class BadSampleError(SampleError):
    """A sample cannot be made, and what was raised says all there is to say.

    torch raises an error of a worker again with the worker's traceback before its message. That
    helps with a transform that has a bug; of a file that cannot be read it says nothing.
    """

    def __str__(self) -> str:
        return super().__str__().rpartition(f"{type(self).__name__}: ")[2].rstrip()


class SeededDataset(Dataset):
    """Makes sample `index` under the randomness of (seed, epoch, index).

    Everything but indexing is the wrapped dataset's, so that it can stand in for it.

    Args:
        dataset: What is wrapped.
        seed: Seed of the run.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key | int) -> Any:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        try:
            with sample_randomness(self.seed, epoch, index):
                return self.dataset[index]
        except Exception as error:
            where = f"sample {index}{_file_of(self.dataset, index)}"
            known = isinstance(error, CvcoreError | OSError)
            kind = BadSampleError if known else SampleError
            raise kind(f"{where}: {type(error).__name__}: {error}") from error

    def __getattr__(self, name: str) -> Any:
        # Reached only for what is not found here; guard against lookups while unpickling.
        if name.startswith("__") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)


def _file_of(dataset: Any, index: int) -> str:
    infos = getattr(dataset, "data_infos", None)
    if infos is None or not 0 <= index < len(infos):
        return ""
    return f" ({infos[index].get('filename')})"


class SeededSampler(Sampler):
    """Turns the indices of a sampler into keys (epoch, index).

    ``set_epoch`` chooses the next pass; if nobody calls it, each pass is the epoch after the last.

    Args:
        sampler: Yields indices.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.next_epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass."""
        self.next_epoch = epoch

    def _begin(self) -> int:
        epoch, self.next_epoch = self.next_epoch, self.next_epoch + 1
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)
        return epoch

    def __iter__(self) -> Iterator[Key]:
        # Not a generator: the epoch is chosen when the pass begins, not at its first sample.
        epoch = self._begin()
        return ((epoch, index) for index in self.sampler)

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "sampler":
            raise AttributeError(name)
        return getattr(self.sampler, name)


class SeededBatches(SeededSampler):
    """Turns the endless batches of a sampler into lists of keys.

    The number of the batch takes the place of the epoch, which an endless series does not have:
    an image that comes again looks different.

    Args:
        sampler: Yields lists of indices.
    """

    def __iter__(self) -> Iterator[list[Key]]:  # type: ignore[override]
        self._begin()
        return ([(number, i) for i in batch] for number, batch in enumerate(self.sampler))
