"""Bars over loops and pools."""

from __future__ import annotations

import io
import time

import pytest

from cvcore.progress_bar import (
    ProgressBar,
    track_iter_progress,
    track_parallel_progress,
    track_progress,
)


def double(value: int, plus: int = 0) -> int:
    return 2 * value + plus


def slow_when_small(value: int) -> int:
    time.sleep(0.2 if value == 0 else 0.0)
    return value


def test_a_loop_gives_its_results_and_counts_to_the_end() -> None:
    file = io.StringIO()
    assert track_progress(double, [1, 2, 3], file=file, plus=1) == [3, 5, 7]
    assert "3/3" in file.getvalue()


def test_an_iterable_may_come_with_its_length() -> None:
    file = io.StringIO()
    assert list(track_iter_progress((iter("abcd"), 4), file=file)) == list("abcd")
    assert "4/4" in file.getvalue()


def test_a_loop_left_early_leaves_its_last_count() -> None:
    file = io.StringIO()
    for item in track_iter_progress(range(9), file=file):
        if item == 2:
            break
    assert "2/9" in file.getvalue()


@pytest.mark.parametrize("tasks", [3, (1, 2), ([1],), iter([1])])
def test_tasks_without_a_number_are_an_error(tasks: object) -> None:
    with pytest.raises(TypeError, match="tasks"):
        track_progress(double, tasks, file=io.StringIO())  # type: ignore[arg-type]


def test_a_pool_keeps_the_order_or_takes_what_is_done() -> None:
    tasks = [0, 1, 2, 3]
    file = io.StringIO()
    assert track_parallel_progress(slow_when_small, tasks, 2, file=file) == tasks
    assert "4/4" in file.getvalue()
    loose = track_parallel_progress(
        slow_when_small, (iter(tasks), 4), 2, keep_order=False, file=io.StringIO()
    )
    assert sorted(loose) == tasks
    assert loose[0] != 0


def test_a_pool_may_leave_its_first_tasks_off_the_clock() -> None:
    file = io.StringIO()
    results = track_parallel_progress(double, range(6), 2, skip_first=True, file=file)
    assert results == [0, 2, 4, 6, 8, 10]
    assert "4/4" in file.getvalue()


def test_a_bar_counts_by_hand() -> None:
    file = io.StringIO()
    bar = ProgressBar(5, start=False, file=file)
    bar.start()
    bar.update()
    bar.update(3)
    assert bar.completed == 4
    with pytest.raises(ValueError, match="must be positive"):
        bar.update(0)
    bar.stop()
    bar.stop()
    assert "4/5" in file.getvalue()


def test_a_bar_without_a_total_shows_the_count() -> None:
    file = io.StringIO()
    with ProgressBar(file=file) as bar:
        bar.update(7)
    assert "7/?" in file.getvalue()
