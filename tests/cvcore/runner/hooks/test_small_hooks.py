"""Hooks of a few lines: sampler seeds, buffers, timers, caches, profiler, closures."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cvcore.errors import MissingExtraError
from cvcore.runner import (
    BaseRunner,
    ClosureHook,
    DistSamplerSeedHook,
    EmptyCacheHook,
    IterTimerHook,
    MemoryProfilerHook,
    ProfilerHook,
)


def test_samplers_are_told_the_epoch_wherever_they_sit(
    make_runner: Callable[..., BaseRunner],
) -> None:
    told: list[tuple[str, int]] = []

    class Sampler:
        def __init__(self, name: str) -> None:
            self.name = name

        def set_epoch(self, epoch: int) -> None:
            told.append((self.name, epoch))

    class BatchSampler:
        sampler = Sampler("inside")

    class Loader(list):  # type: ignore[type-arg]
        sampler = Sampler("outside")
        batch_sampler = BatchSampler()

    runner = make_runner(max_epochs=2)
    runner.register_hook(DistSamplerSeedHook())
    runner.run([Loader([torch.ones(2, 2)])], [("train", 1)])

    assert told == [("outside", 0), ("inside", 0), ("outside", 1), ("inside", 1)]


ON_EACH_RANK = """
import torch
from torch import nn
from cvcore.runner import EpochBasedRunner, SyncBuffersHook

model = nn.BatchNorm1d(1)
model.train_step = lambda batch, optimizer: dict(num_samples=1)
model.running_mean += rank
runner = EpochBasedRunner(model, max_epochs=1)
runner.register_hook(SyncBuffersHook(distributed=rank < 2))
runner.run([[0]], [('train', 1)])
print(model.running_mean.item())
"""


@pytest.mark.slow
def test_buffers_are_averaged_over_ranks(run_on_two_ranks: Callable[[str], list[str]]) -> None:
    assert [float(text) for text in run_on_two_ranks(ON_EACH_RANK)] == [0.5, 0.5]


def test_the_timer_tells_waiting_from_the_whole_iteration(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([0.0, 1.0, 4.0, 4.5, 6.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    runner = make_runner(max_epochs=1)
    runner.register_hook(IterTimerHook())
    runner.call_hook("before_train_epoch")
    for _ in range(2):
        runner.call_hook("before_train_iter")
        runner.call_hook("after_train_iter")

    assert runner.log_buffer.val_history == {"data_time": [1.0, 0.5], "time": [4.0, 2.0]}


def test_the_cache_is_emptied_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[None] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(None))
    hook = EmptyCacheHook(before_epoch=True, after_epoch=False, after_iter=True)
    for moment, count in (
        ("before_train_epoch", 1),
        ("after_train_epoch", 1),
        ("after_train_iter", 2),
        ("after_val_iter", 3),
    ):
        getattr(hook, moment)(None)
        assert len(emptied) == count


def test_a_function_is_a_hook(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    epochs: list[int] = []
    runner = make_runner(max_epochs=2)
    runner.register_hook(ClosureHook("after_train_epoch", lambda r: epochs.append(r.epoch)))
    runner.run([batches[:1]], [("train", 1)])

    assert epochs == [0, 1]
    assert "after_train_epoch:\n(NORMAL      ) ClosureHook" in runner.get_hook_info()
    with pytest.raises(ValueError, match="nearest: 'after_train_epoch'"):
        ClosureHook("after_train_epochs", print)
    with pytest.raises(TypeError, match="function"):
        ClosureHook("after_run", 3)  # type: ignore[arg-type]


def test_the_profiler_writes_a_trace_and_a_table(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = make_runner(max_epochs=2)
    runner.register_profiler_hook(
        {
            "by_epoch": False,
            "profile_iters": 2,
            "activities": ["cpu"],
            "on_trace_ready": {"type": "log_trace", "row_limit": 3},
            "json_trace_path": str(tmp_path / "trace.json"),
        }
    )
    with caplog.at_level(logging.INFO):
        runner.run([batches], [("train", 1)])

    assert "Self CPU" in caplog.text
    names = {
        e.get("name") for e in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    }
    assert "aten::linear" in names


def test_a_profiler_that_outlasts_the_run_is_refused(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=2)
    runner.register_hook(ProfilerHook(profile_iters=3))
    with pytest.raises(ValueError, match="profiles 3 epochs, but the run has 2"):
        runner.call_hook("before_run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile_iters": 0}, "profile_iters"),
        ({"activities": ["tpu"]}, "tpu"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProfilerHook(**arguments)


def test_memory_of_machine_process_and_workers_is_logged(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    psutil = pytest.importorskip("psutil", reason="get it with: pip install 'cvcore[memory]'")
    runner = make_runner(max_epochs=1)
    runner.register_hook(MemoryProfilerHook(interval=2))
    worker = [sys.executable, "-c", "input()"]
    with subprocess.Popen(worker, stdin=subprocess.PIPE), caplog.at_level(logging.INFO):
        runner.run([batches], [("train", 1)])
    reports = [r.args for r in caplog.records if r.getMessage().startswith("memory: ")]
    assert len(reports) == 2  # five iterations
    available, used, percent, *_, process, workers = reports[0]
    total = psutil.virtual_memory().total / 2**20
    assert 0 < available < total
    assert used < total
    assert 0 < percent < 100
    # This process has torch in it; other tests may have left it more children than the one here.
    assert 100 < process < total
    assert 1 <= workers < total


def test_without_psutil_the_pip_line_is_named(
    make_runner: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    runner = make_runner(max_epochs=1)
    runner.register_hook(MemoryProfilerHook())
    with pytest.raises(MissingExtraError, match=r"pip install 'cvcore\[memory\]'"):
        runner.call_hook("before_run")
