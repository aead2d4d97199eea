"""What one attempt left in the agent's store does not reach the next one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import HashStore

from cvcore.dist.attempt import agree_on_name, attempt_store
from cvcore.errors import DistributedError

LONG, SHORT = timedelta(seconds=600), timedelta(seconds=0.2)


def meet(store: HashStore, world_size: int) -> list[str]:
    with ThreadPoolExecutor(world_size) as pool:
        ranks = [
            pool.submit(agree_on_name, store, rank, world_size, LONG) for rank in range(world_size)
        ]
        return [rank.result() for rank in ranks]


def test_the_ranks_of_an_attempt_agree_and_no_two_attempts_do() -> None:
    store = HashStore()
    found = [meet(store, world_size) for world_size in (3, 3, 2, 3)]
    assert [len(set(names)) for names in found] == [1, 1, 1, 1]
    assert len({names[0] for names in found}) == 4


def test_a_rank_that_died_before_it_was_answered_is_not_taken_for_its_successor() -> None:
    store = HashStore()
    with pytest.raises(DistributedError, match=r"rank 0 did not come within 0\.2 s"):
        agree_on_name(store, 1, 3, SHORT)  # leaves a word, and is gone
    with pytest.raises(DistributedError, match="rank 1, 2 did not come"):
        agree_on_name(store, 0, 3, SHORT)  # answers that word, but nobody reads it
    assert len(set(meet(store, 3))) == 1


def test_without_an_agent_torch_makes_its_own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    assert attempt_store("127.0.0.1", 1, 0, 1) is None
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert attempt_store("127.0.0.1", 1, 0, 1) is None
