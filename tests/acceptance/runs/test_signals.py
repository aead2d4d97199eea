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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name == "nt", reason="POSIX signals"),
]

WHOLE = ("--epochs", "3", "--evaluate", "--validate")


BY_ITERATIONS = ("--iters", "20", "--evaluate", "--validate")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, list[str]]]:
    """Work dir and steps of a run that nothing stops, made once for each set of options."""
    runs: dict[tuple[str, ...], tuple[Path, list[str]]] = {}

    def make(*options: str) -> tuple[Path, list[str]]:
        if options not in runs:
            folder = tmp_path_factory.mktemp("unbroken") / "parts"
            program = Program([str(folder), *options])
            assert program.end()[0] == 0
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
) -> tuple[int, str]:
    """Send a signal when the run says ``at``; resume in a new process to the end, and compare."""
    program = start("parts", *options, *slow)
    program.until(at)
    program.send(signum)
    code, errors = program.end()
    resumed = start("parts", *options, "--resume", "--seed", "99")
    assert resumed.end()[0] == 0
    whole, steps = unbroken(*options)
    assert program.steps() + resumed.steps() == steps
    assert_same_run(whole, program.work_dir)
    return code, errors


@pytest.mark.parametrize(("signum", "code"), [(TERM, 143), (INT, 130)])
def test_D12_a_signal_in_a_train_step(
    start: Callable[..., Any],
    unbroken: Callable[..., Any],
    tmp_path: Path,
    signum: int,
    code: int,
) -> None:
    slow = ("--step-seconds", "0.3")
    ended, errors = stop_and_resume(start, unbroken, WHOLE, slow, "step 9", signum)
    assert ended == code
    # The step that the signal came in is finished and saved; no other one is begun.
    assert f"ended after iteration 9, saved {tmp_path / 'parts' / 'iter_9.pth'}" in errors
    assert "Traceback" not in errors


def test_D12_a_signal_in_a_run_by_iterations(
    start: Callable[..., Any], unbroken: Callable[..., Any]
) -> None:
    slow = ("--step-seconds", "0.3")
    code, _ = stop_and_resume(start, unbroken, BY_ITERATIONS, slow, "step 10", TERM)
    assert code == 143


MOMENTS = {
    "warm-up": (("--step-seconds", "0.3"), "step 2"),
    "data": (("--data-seconds", "0.6"), "step 8"),
    "workers": (("--data-seconds", "0.6", "--workers", "1"), "step 8"),
    "validation": (("--step-seconds", "0.3"), "validated 1"),
    "evaluation": (("--evaluation-seconds", "20"), "evaluated a batch"),
    "scoring": (("--evaluation-seconds", "20"), "scoring"),
    "last epoch": (("--step-seconds", "0.3"), "step 18"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_D13_a_signal_in_any_other_moment(
    start: Callable[..., Any], unbroken: Callable[..., Any], moment: str
) -> None:
    slow, at = MOMENTS[moment]
    code, errors = stop_and_resume(start, unbroken, WHOLE, slow, at, TERM)
    assert code == 143
    assert "saved" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("at", ["validated 1", "scoring", "evaluated a batch"])
def test_D13_a_signal_while_a_run_by_iterations_evaluates(
    start: Callable[..., Any], unbroken: Callable[..., Any], at: str
) -> None:
    slow = ("--evaluation-seconds", "20") if at == "scoring" else ("--step-seconds", "0.2")
    code, _ = stop_and_resume(start, unbroken, BY_ITERATIONS, slow, at, TERM)
    assert code == 143


def test_D13_a_wait_for_data_ends_at_once(start: Callable[..., Any]) -> None:
    program = start("run", "--epochs", "1", "--data-seconds", "20", "--step-seconds", "0")
    time.sleep(6)  # it waits for its first batch by now
    begun = time.monotonic()
    program.send(TERM)
    code, errors = program.end()
    assert time.monotonic() - begun < 5
    assert code == 143
    assert "nothing was trained yet" in errors


def test_D14_a_signal_to_one_rank_ends_both_at_the_same_step(
    start: Callable[..., Any], start_two: Callable[..., Any], tmp_path: Path
) -> None:
    slow = ("--step-seconds", "0.2")
    ranks = start_two("run", "--epochs", "4", *slow)
    ranks[1].until("step 3")
    ranks[1].send(TERM)
    codes = [rank.end()[0] for rank in ranks]
    assert codes == [143, 143]
    stops = [[line for line in rank.said if line.startswith("stopped")] for rank in ranks]
    (first,), (second,) = stops
    assert first.split()[:2] == second.split()[:2]  # "stopped N"

    resumed = start_two("run", "--epochs", "4", "--resume", "--seed", "99")
    whole = start_two("whole", "--epochs", "4")
    assert [rank.end()[0] for rank in resumed] == [0, 0]
    assert [rank.end()[0] for rank in whole] == [0, 0]
    for number in range(2):
        assert ranks[number].steps() + resumed[number].steps() == whole[number].steps()


def test_D14_a_signal_to_one_rank_in_evaluation_ends_both(
    start_two: Callable[..., Any],
) -> None:
    ranks = start_two("run", "--epochs", "2", "--evaluate", "--evaluation-seconds", "20")
    ranks[0].until("scoring")
    ranks[0].send(TERM)
    assert [rank.end()[0] for rank in ranks] == [143, 143]


@pytest.mark.parametrize("signum", [TERM, INT])
def test_D15_workers_ignore_the_signal_that_the_whole_group_gets(
    start: Callable[..., Any], tmp_path: Path, signum: int
) -> None:
    program = start("parts", "--epochs", "3", "--workers", "2", "--step-seconds", "0.3")
    program.until("step 9")
    children = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children")
    workers = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
    assert len(workers) >= 2
    for pid in [*workers, program.process.pid]:
        os.kill(pid, signum)
    code, errors = program.end()
    assert code == 128 + signum
    assert errors.count("saved") == 2  # in the log, and as the last word
    assert "Traceback" not in errors
    assert start("parts", "--epochs", "3", "--resume").end()[0] == 0
    assert start("whole", "--epochs", "3").end()[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_D16_a_second_signal_ends_at_once(start: Callable[..., Any], tmp_path: Path) -> None:
    program = start("parts", "--epochs", "3", "--step-seconds", "20")
    program.until("step 1")
    program.send(INT)
    time.sleep(0.5)
    assert program.process.poll() is None  # it finishes its step of 20 seconds
    begun = time.monotonic()
    program.send(INT)
    code, errors = program.end()
    assert time.monotonic() - begun < 5
    assert code == 130
    assert "ending at once" in errors
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
        assert program.end()[0] == 130
        for path in (tmp_path / f"run{turn}").glob("*.pth"):
            assert verify_file(path)
