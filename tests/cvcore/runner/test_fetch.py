"""The next batch of a loader, and the word about a worker that died."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cvcore.errors import CvcoreError
from cvcore.runner.fetch import WorkerDiedError, next_batch


class Batches:
    """An iterator over no batches, whose workers may have ended."""

    def __init__(self, error: Exception, *exit_codes: int | None, noticed: bool = False) -> None:
        self.error = error
        self._workers = [
            SimpleNamespace(pid=70 + index, exitcode=code, join=self.join)
            for index, code in enumerate(exit_codes)
        ]
        self.noticed = noticed

    def join(self, timeout: float) -> None:
        if self.noticed:
            raise RuntimeError("DataLoader worker (pid 71) is killed by signal: Killed.")

    def __next__(self) -> Any:
        raise self.error


@pytest.mark.parametrize("noticed", [False, True])
def test_a_killed_worker_is_named_even_if_its_death_is_noticed_while_it_is_looked_for(
    noticed: bool,
) -> None:
    """The pipe to a worker may break before torch's handler of SIGCHLD raises."""
    batches = Batches(ConnectionResetError(104, "reset by peer"), None, -9, noticed=noticed)
    with pytest.raises(WorkerDiedError, match="process 71 by SIGKILL"):
        next_batch(batches)


def test_a_death_may_be_noticed_before_the_first_worker_is_looked_at() -> None:
    class NoticedAtOnce(Batches):
        looks = 0

        @property
        def _workers(self) -> list[Any]:
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("DataLoader worker (pid 70) is killed by signal: Killed.")
            return [SimpleNamespace(pid=70, exitcode=-9, join=self.join)]

        @_workers.setter
        def _workers(self, workers: list[Any]) -> None:
            pass

    with pytest.raises(WorkerDiedError, match="process 70 by SIGKILL"):
        next_batch(NoticedAtOnce(ConnectionResetError(104, "reset by peer")))


def test_an_error_of_living_workers_is_passed_on() -> None:
    with pytest.raises(ConnectionResetError):
        next_batch(Batches(ConnectionResetError(104, "reset by peer"), None, 0))
    with pytest.raises(CvcoreError, match="a sample is broken"):
        next_batch(Batches(CvcoreError("a sample is broken"), -9))
