"""A store of keys for one attempt of a run that torchrun starts again after a failure."""

from __future__ import annotations

import os
import secrets
import time
from datetime import timedelta

from torch.distributed import PrefixStore, Store, TCPStore
from torch.distributed.constants import default_pg_timeout

from cvcore.errors import DistributedError

GLANCE = 0.05  # seconds between two looks at what the other ranks have written


def attempt_store(
    address: str, port: int, rank: int, world_size: int, timeout: timedelta | None = None
) -> Store | None:
    """The store of torchrun's agent, with room for this attempt alone; None without an agent.

    The agent keeps one store as long as it lives. Where an attempt wrote the addresses of its
    ranks, the next one would find them and call processes that are dead.

    Args:
        address: Of the store, as torchrun sets it.
        port: Of the store.
        rank: Of this process.
        world_size: How many ranks take part in this attempt.
        timeout: How long the ranks may wait for each other; by default as long as torch does.

    Raises:
        DistributedError: Not all ranks came within ``timeout``.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    timeout = timeout or default_pg_timeout
    # Not waited for: of a second attempt the store has counted the ranks of the first already.
    store = TCPStore(address, port, world_size, False, timeout, wait_for_workers=False)
    meeting = PrefixStore("cvcore/attempt", store)
    name = agree_on_name(meeting, rank, world_size, timeout)
    return PrefixStore(f"cvcore/attempt/{name}", store)


def agree_on_name(store: Store, rank: int, world_size: int, timeout: timedelta) -> str:
    """A name that rank 0 makes up and tells those who are here now.

    What torchrun tells its workers does not name an attempt: the count of restarts stays when
    nodes come and go. So each rank leaves a word that nobody used before, and rank 0 answers to
    that word; what a dead rank left is answered too, but its own successor overwrites it, and
    rank 0 goes on until all have said that they read its answer.

    Args:
        store: May hold what earlier attempts left.
        rank: Of this process.
        world_size: How many ranks there are.
        timeout: How long they may wait for each other.

    Raises:
        DistributedError: Not all ranks came within ``timeout``.
    """
    if rank == 0:
        return _answer_all(store, world_size, timeout)
    word = secrets.token_hex(8)
    store.set(f"word/{rank}", word)
    _wait(store, f"answer/{word}", timeout, "rank 0")
    name = store.get(f"answer/{word}").decode()
    store.set(f"read/{name}/{rank}", "")
    return name


def _answer_all(store: Store, world_size: int, timeout: timedelta) -> str:
    """Rank 0's part of :func:`agree_on_name`."""
    name = secrets.token_hex(8)
    missing = set(range(1, world_size))
    end = time.monotonic() + timeout.total_seconds()
    while missing:
        for rank in sorted(missing):
            if store.check([f"word/{rank}"]):
                store.set(f"answer/{store.get(f'word/{rank}').decode()}", name)
        missing = {rank for rank in missing if not store.check([f"read/{name}/{rank}"])}
        if missing and time.monotonic() > end:
            raise _late(f"rank {', '.join(map(str, sorted(missing)))}", timeout)
        time.sleep(GLANCE if missing else 0)
    return name


def _wait(store: Store, key: str, timeout: timedelta, whom: str) -> None:
    end = time.monotonic() + timeout.total_seconds()
    while not store.check([key]):
        if time.monotonic() > end:
            raise _late(whom, timeout)
        time.sleep(GLANCE)


def _late(whom: str, timeout: timedelta) -> DistributedError:
    return DistributedError(
        f"{whom} did not come within {timeout.total_seconds():g} s; look for its error in the "
        "output above, and whether all nodes can reach the address in MASTER_ADDR"
    )
