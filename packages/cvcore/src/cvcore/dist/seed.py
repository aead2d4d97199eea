"""Seeds of a process, of its loader workers and, above all, of each sample.

A sample's augmentation is drawn from (seed, epoch, index) and from nothing else, so that batches
do not depend on the number of workers and a run resumes in mid-epoch without any worker state.
"""

from __future__ import annotations

import random
import secrets
import threading
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import distributed

from cvcore.dist.collect import communication_device
from cvcore.dist.env import get_dist_info
from cvcore.errors import ConfigError

SEED_LIMIT = 2**32


class _Current(threading.local):
    """The generator of the sample that this thread is making, if it is making one."""

    sample: np.random.Generator | None = None


_current = _Current()
# Stands in for numpy's global state inside a sample: to exchange the two is far cheaper than to
# copy the state out and in again.
_sample_numpy_state = np.random.MT19937(0)
_process_default = np.random.default_rng()


def generator() -> np.random.Generator:
    """The current sample's generator; outside a sample, the process's own."""
    return _process_default if _current.sample is None else _current.sample


class sample_randomness:  # noqa: N801 - used as `with sample_randomness(...)`, like a function
    """Context in which all randomness is that of one sample.

    :func:`generator` is seeded from the three numbers, and so are the global states of ``random``
    and ``numpy.random``, which third-party transforms draw from; both are restored on leaving
    (except for the second half of a pair of normal numbers, which numpy draws two by two).
    Inside another sample's context this one changes nothing: the outermost wins, so that a
    wrapper's images (a mosaic's, say) differ from one another.

    Args:
        seed: Seed of the run.
        epoch: Number of passes over the data before this one.
        index: Position of the sample in the dataset.
    """

    __slots__ = ("_entered", "_key", "_numpy_state", "_python_state")

    def __init__(self, seed: int, epoch: int, index: int) -> None:
        self._key = (seed, epoch, index)
        self._entered = False
        self._python_state: Any = None
        self._numpy_state: Any = None

    def __enter__(self) -> np.random.Generator:
        if _current.sample is not None:
            return _current.sample
        own = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._key)))
        self._python_state = random.getstate()
        self._numpy_state = np.random.get_bit_generator()
        np.random.set_bit_generator(_sample_numpy_state)
        random.seed(int(own.integers(SEED_LIMIT)))
        np.random.seed(int(own.integers(SEED_LIMIT)))
        _current.sample = own
        self._entered = True
        return own

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entered:
            _current.sample = None
            random.setstate(self._python_state)
            np.random.set_bit_generator(self._numpy_state)
            self._entered = False


def set_random_seed(seed: int, deterministic: bool = False, use_rank_shift: bool = False) -> None:
    """Seed python, numpy, torch on every device, and :func:`generator` outside samples.

    Args:
        seed: From 0 up to 2**32 - 1.
        deterministic: Let cuDNN choose reproducible algorithms only, without benchmarking.
        use_rank_shift: Add the rank, so that ranks draw differently.

    Raises:
        ConfigError: The seed is out of its range.
    """
    global _process_default  # noqa: PLW0603 - one default generator a process, like numpy's
    if use_rank_shift:
        seed += get_dist_info()[0]
    if not 0 <= seed < SEED_LIMIT:
        raise ConfigError(f"seed {seed} is out of range; give one from 0 up to {SEED_LIMIT - 1}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    _process_default = np.random.default_rng(seed)
    if deterministic:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def init_random_seed(seed: int | None = None, device: torch.device | str | None = None) -> int:
    """``seed`` itself or, where it is None, a fresh one that all ranks agree on.

    Args:
        seed: The seed that the user asked for, if any.
        device: Carries the message from rank 0; by default what the process group can carry.
    """
    if seed is not None:
        return seed
    seed = secrets.randbelow(2**31)
    if get_dist_info()[1] == 1:
        return seed
    carrier = torch.tensor(seed, device=communication_device() if device is None else device)
    distributed.broadcast(carrier, src=0)
    return int(carrier)


def worker_init_fn(worker_id: int, num_workers: int, rank: int, seed: int) -> None:
    """Seed a loader's worker differently from every other worker of every rank.

    Args:
        worker_id: Number of the worker within its loader.
        num_workers: Workers of each rank.
        rank: Rank of the process that owns the loader.
        seed: Seed of the run.
    """
    sequence = np.random.SeedSequence((seed, rank * num_workers + worker_id))
    set_random_seed(int(sequence.generate_state(1)[0]))
