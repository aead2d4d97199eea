"""Section D: SIGTERM and SIGINT at any moment leave a checkpoint that goes on exactly."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.runs.conftest import INT, TERM, Program, assert_same_run
from tests.processes import Ended

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name == "nt", reason="POSIX signals"),
]

LONG = "200"  # seconds, of what is not waited for: many times what leaving takes
WHOLE = ("--epochs", "3", "--evaluate", "--validate")
BY_ITERATIONS = ("--iters", "20", "--evaluate", "--validate")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, list[str]]]:
    """Work dir and steps of a run that nothing stops, made once for each set of options."""
    runs: dict[tuple[str, ...], tuple[Path, list[str]]] = {}

    def make(*options: str) -> tuple[Path, list[str]]:
        if options not in runs:
            folder = tmp_path_factory.mktemp("unbroken") / "parts"
            with Program([str(folder), *options]) as program:
                assert program.end().code == 0
                runs[options] = folder, program.steps()
        return runs[options]

    return make


def stop_and_resume(
    start: Callable[..., Any],
    unbroken: Callable[..., tuple[Path, list[str]]],
    options: tuple[str, ...],
    slow: tuple[str, ...],
    at: str,
    signum: int,
) -> Ended:
    """Send a signal when the run says ``at``; resume in a new process to the end, and compare."""
    program = start("parts", *options, *slow)
    program.until(at)
    program.send(signum)
    ended = program.end()
    resumed = start("parts", *options, "--resume", "--seed", "99")
    assert resumed.end().code == 0
    whole, steps = unbroken(*options)
    assert program.steps() + resumed.steps() == steps
    assert_same_run(whole, program.work_dir)
    return ended


@pytest.mark.parametrize(("signum", "code"), [(TERM, 143), (INT, 130)])
def test_D12_a_signal_in_a_train_step(
    start: Callable[..., Any],
    unbroken: Callable[..., Any],
    tmp_path: Path,
    signum: int,
    code: int,
) -> None:
    slow = ("--step-seconds", "0.3")
    ended = stop_and_resume(start, unbroken, WHOLE, slow, "step 9", signum)
    assert ended.code == code
    # The step that the signal came in is finished and saved; no other one is begun.
    assert f"ended after iteration 9, saved {tmp_path / 'parts' / 'iter_9.pth'}" in ended.errors
    assert "Traceback" not in ended.errors


def test_D12_a_signal_in_a_run_by_iterations(
    start: Callable[..., Any], unbroken: Callable[..., Any]
) -> None:
    slow = ("--step-seconds", "0.3")
    ended = stop_and_resume(start, unbroken, BY_ITERATIONS, slow, "step 10", TERM)
    assert ended.code == 143


MOMENTS = {
    "warm-up": (("--step-seconds", "0.3"), "step 2"),
    "data": (("--data-seconds", "0.6"), "step 8"),
    "workers": (("--data-seconds", "0.6", "--workers", "1"), "step 8"),
    "validation": (("--step-seconds", "0.3"), "validated 1"),
    "evaluation": (("--evaluation-seconds", LONG), "evaluated a batch"),
    "scoring": (("--evaluation-seconds", LONG), "scoring"),
    "last epoch": (("--step-seconds", "0.3"), "step 18"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_D13_a_signal_in_any_other_moment(
    start: Callable[..., Any], unbroken: Callable[..., Any], moment: str
) -> None:
    slow, at = MOMENTS[moment]
    ended = stop_and_resume(start, unbroken, WHOLE, slow, at, TERM)
    assert ended.code == 143
    assert "saved" in ended.errors
    assert "Traceback" not in ended.errors


@pytest.mark.parametrize("at", ["validated 1", "scoring", "evaluated a batch"])
def test_D13_a_signal_while_a_run_by_iterations_evaluates(
    start: Callable[..., Any], unbroken: Callable[..., Any], at: str
) -> None:
    slow = ("--evaluation-seconds", LONG) if at == "scoring" else ("--step-seconds", "0.2")
    ended = stop_and_resume(start, unbroken, BY_ITERATIONS, slow, at, TERM)
    assert ended.code == 143


def test_D13_a_wait_for_data_ends_at_once(start: Callable[..., Any]) -> None:
    program = start("run", "--epochs", "1", "--data-seconds", LONG)
    program.until("making a sample")
    begun = time.monotonic()
    program.send(TERM)
    ended = program.end()
    assert time.monotonic() - begun < float(LONG) / 2
    assert ended.code == 143
    assert "nothing was trained yet" in ended.errors


def test_D14_a_signal_to_one_rank_ends_both_at_the_same_step(
    start: Callable[..., Any], start_two: Callable[..., Any], tmp_path: Path
) -> None:
    slow = ("--step-seconds", "0.2")
    ranks = start_two("run", "--epochs", "4", *slow)
    ranks[1].until("step 3")
    ranks[1].send(TERM)
    assert [rank.end().code for rank in ranks] == [143, 143]
    stops = [[line for line in rank.lines() if line.startswith("stopped")] for rank in ranks]
    (first,), (second,) = stops
    assert first.split()[:2] == second.split()[:2]  # "stopped N"

    resumed = start_two("run", "--epochs", "4", "--resume", "--seed", "99")
    whole = start_two("whole", "--epochs", "4")
    assert [rank.end().code for rank in resumed] == [0, 0]
    assert [rank.end().code for rank in whole] == [0, 0]
    for number in range(2):
        assert ranks[number].steps() + resumed[number].steps() == whole[number].steps()


def test_D14_a_signal_to_one_rank_in_evaluation_ends_both(
    start_two: Callable[..., Any],
) -> None:
    ranks = start_two("run", "--epochs", "2", "--evaluate", "--evaluation-seconds", LONG)
    ranks[0].until("scoring")
    ranks[0].send(TERM)
    assert [rank.end().code for rank in ranks] == [143, 143]


@pytest.mark.parametrize("signum", [TERM, INT])
def test_D15_workers_ignore_the_signal_that_the_whole_group_gets(
    start: Callable[..., Any], tmp_path: Path, signum: int
) -> None:
    program = start("parts", "--epochs", "3", "--workers", "2", "--step-seconds", "0.3")
    program.until("step 9")
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    workers = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
    assert len(workers) >= 2
    for pid in [*workers, program.pid]:
        os.kill(pid, signum)
    ended = program.end()
    assert ended.code == 128 + signum
    assert ended.errors.count("saved") == 2  # in the log, and as the last word
    assert "Traceback" not in ended.errors
    assert start("parts", "--epochs", "3", "--resume").end().code == 0
    assert start("whole", "--epochs", "3").end().code == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_D16_a_second_signal_ends_at_once(start: Callable[..., Any], tmp_path: Path) -> None:
    program = start("parts", "--epochs", "3", "--step-seconds", LONG)
    program.until("step 1")
    program.send(INT)
    while "finishing the step" not in program.errors():
        time.sleep(0.01)
    assert program.is_alive()  # it finishes its step
    begun = time.monotonic()
    program.send(INT)
    ended = program.end()
    assert time.monotonic() - begun < float(LONG) / 2
    assert ended.code == 130
    assert "ending at once" in ended.errors
    assert not list((tmp_path / "parts").glob("*.pth"))


def test_D16_a_second_signal_while_saving_leaves_no_corrupt_file(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    from cvcore.runner.checkpoint import verify_file

    for turn in range(3):
        program = start(f"run{turn}", "--epochs", "3", "--save-every", "1", "--step-seconds", "0.1")
        program.until("step 5")
        program.send(INT)
        time.sleep(0.05 * turn)
        program.send(INT)
        assert program.end().code == 130
        for path in (tmp_path / f"run{turn}").glob("*.pth"):
            assert verify_file(path)
