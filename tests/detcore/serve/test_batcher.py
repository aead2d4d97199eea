"""Waiting jobs go together; none is lost, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from tests.processes import PATIENCE

from detcore.serve.batcher import Batcher, ClosedError, QueueFullError


class Doubler:
    """Doubles numbers and notes the batches; holds the first until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.let_go = threading.Event(), threading.Event()

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.batches.append(list(jobs))
        self.started.set()
        assert self.let_go.wait(PATIENCE)
        if 13 in jobs:
            raise ValueError("13 cannot be doubled")
        return [2 * job for job in jobs]


@pytest.fixture
def doubler() -> Iterator[Doubler]:
    doubler = Doubler()
    yield doubler
    doubler.let_go.set()


def with_one_at_work(doubler: Doubler, **settings: float) -> tuple[Batcher, Future]:
    batcher = Batcher(doubler, **settings)
    first = batcher.submit(0)
    assert doubler.started.wait(PATIENCE)
    return batcher, first


def test_what_waits_meanwhile_goes_together_in_order(doubler: Doubler) -> None:
    batcher, first = with_one_at_work(doubler, batch_size=3)
    futures = [first, *(batcher.submit(job) for job in (1, 2, 3, 4))]
    assert batcher.waiting == 4
    doubler.let_go.set()
    assert [future.result(PATIENCE) for future in futures] == [0, 2, 4, 6, 8]
    assert doubler.batches == [[0], [1, 2, 3], [4]]
    batcher.close()


def test_the_first_waits_for_company(doubler: Doubler) -> None:
    doubler.let_go.set()
    batcher = Batcher(doubler, batch_size=2, max_wait=10 * PATIENCE)
    futures = [batcher.submit(1), batcher.submit(2)]
    assert [future.result(PATIENCE) for future in futures] == [2, 4]  # full: no more is awaited
    assert doubler.batches == [[1, 2]]
    batcher.close()


def test_one_that_fails_does_not_take_others_along(doubler: Doubler) -> None:
    batcher, _ = with_one_at_work(doubler, batch_size=3)
    good, bad, fine = (batcher.submit(job) for job in (1, 13, 3))
    doubler.let_go.set()
    assert (good.result(PATIENCE), fine.result(PATIENCE)) == (2, 6)
    with pytest.raises(ValueError, match="13 cannot"):
        bad.result(PATIENCE)
    assert doubler.batches == [[0], [1, 13, 3], [1], [13], [3]]
    assert batcher.submit(5).result(PATIENCE) == 10
    batcher.close()


def test_one_that_nobody_awaits_any_more_is_left_out(doubler: Doubler) -> None:
    batcher, _ = with_one_at_work(doubler, batch_size=3)
    gone, kept = batcher.submit(1), batcher.submit(2)
    assert gone.cancel()
    doubler.let_go.set()
    assert kept.result(PATIENCE) == 4
    assert doubler.batches == [[0], [2]]
    batcher.close()


def test_a_full_queue_refuses_and_takes_again(doubler: Doubler) -> None:
    batcher, first = with_one_at_work(doubler, max_queue=2)
    waiting = [batcher.submit(1), batcher.submit(2)]
    with pytest.raises(QueueFullError, match="2 requests"):
        batcher.submit(3)
    doubler.let_go.set()
    assert [future.result(PATIENCE) for future in (first, *waiting)] == [0, 2, 4]
    assert batcher.submit(4).result(PATIENCE) == 8
    batcher.close()


def test_closing_finishes_what_waits(doubler: Doubler) -> None:
    batcher, first = with_one_at_work(doubler, batch_size=2)
    waiting = [batcher.submit(job) for job in (1, 2, 3)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while not batcher._closed:
        pass
    with pytest.raises(ClosedError):
        batcher.submit(4)
    doubler.let_go.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert [future.result(0) for future in (first, *waiting)] == [0, 2, 4, 6]


def test_sizes_and_seconds_are_told(doubler: Doubler) -> None:
    seen: list[tuple[int, float]] = []
    doubler.let_go.set()
    batcher = Batcher(
        doubler, batch_size=2, max_wait=PATIENCE, observe=lambda *told: seen.append(told)
    )
    futures = [batcher.submit(1), batcher.submit(2)]
    assert [future.result(PATIENCE) for future in futures] == [2, 4]
    batcher.close()
    ((size, seconds),) = seen
    assert size == 2
    assert 0 <= seconds < PATIENCE
