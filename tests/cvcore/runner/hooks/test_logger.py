from __future__ import annotations

import io
import json
import logging
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from cvcore.errors import MissingExtraError
from cvcore.runner import (
    BaseRunner,
    Hook,
    IterTimerHook,
    LoggerHook,
    TensorboardLoggerHook,
    TextLoggerHook,
)
from cvcore.runner.hooks.logger import text
from cvcore.runner.hooks.logger.live_line import LiveLine
from cvcore.runner.hooks.logger.metrics_file import MetricsFile, json_safe


class Clock(Hook):
    """Reports half a second for every iteration, and a tenth of it waiting for data."""

    def after_iter(self, runner: Any) -> None:
        runner.log_buffer.update({"time": 0.5, "data_time": 0.05})


class Scores(Hook):
    """Puts scores into the log after every training epoch, as an evaluation does."""

    def after_train_epoch(self, runner: Any) -> None:
        runner.log_buffer.output.update(eval_iter_num=7, bbox_mAP=np.float64(0.25), text="0.2 0.3")
        runner.log_buffer.ready = True


@pytest.fixture
def run(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., list[str]]:
    """Run with fixed losses and times; gives the lines of the log from the first report on."""

    def go(length: dict[str, Any], *hooks: Hook, val: bool = False, **arguments: Any) -> list[str]:
        runner = make_runner(**length)
        model = runner.model

        def step(batch: Any, optimizer: Any = None) -> dict[str, Any]:
            loss = model.linear.weight.sum()
            value = float(runner.iter + 1)
            return {"loss": loss, "log_vars": {"loss_cls": value}, "num_samples": 2}

        model.train_step = model.val_step = step  # type: ignore[method-assign, assignment]
        for hook in (Clock(), *hooks):
            runner.register_hook(hook)
        runner.register_hook(TextLoggerHook(**arguments), "VERY_LOW")
        workflow = [("train", 1), ("val", 1)] if val else [("train", 1)]
        with caplog.at_level(logging.INFO):
            runner.run([batches] * len(workflow), workflow)
        lines = [record.getMessage() for record in caplog.records]
        starts = ("Epoch", "Iter", "Exp")
        return [line for line in lines if line.startswith(starts)]

    return go


def reports(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_line_by_epochs_says_where_how_fast_and_how_well(run: Callable[..., list[str]]) -> None:
    lines = run({"max_epochs": 2}, interval=2)

    # 5 iterations an epoch, 10 in all: after 2 of them 8 * 0.5 s remain.
    assert lines == [
        "Epoch [1][2/5]\tlr: 1.000e-01, eta: 0:00:04, time: 0.500, data_time: 0.050, "
        "loss_cls: 1.5000",
        "Epoch [1][4/5]\tlr: 1.000e-01, eta: 0:00:03, time: 0.500, data_time: 0.050, "
        "loss_cls: 3.5000",
        "Epoch [2][2/5]\tlr: 1.000e-01, eta: 0:00:01, time: 0.500, data_time: 0.050, "
        "loss_cls: 6.5000",
        "Epoch [2][4/5]\tlr: 1.000e-01, eta: 0:00:00, time: 0.500, data_time: 0.050, "
        "loss_cls: 8.5000",
    ]


def test_a_line_by_iterations(run: Callable[..., list[str]]) -> None:
    lines = run({"max_iters": 6}, interval=3, by_epoch=False)

    assert lines == [
        "Iter [3/6]\tlr: 1.000e-01, eta: 0:00:01, time: 0.500, data_time: 0.050, loss_cls: 2.0000",
        "Iter [6/6]\tlr: 1.000e-01, eta: 0:00:00, time: 0.500, data_time: 0.050, loss_cls: 5.0000",
    ]


def test_validation_and_evaluation_have_lines_of_their_own(
    run: Callable[..., list[str]], tmp_path: Path
) -> None:
    lines = run({"max_epochs": 1}, Scores(), val=True, interval=5)

    assert [line.split("\t") for line in lines[1:]] == [
        ["Epoch(val) [1][7]", "bbox_mAP: 0.2500, text: 0.2 0.3"],
        ["Epoch(val) [1][5]", "loss_cls: 6.0000"],
    ]
    assert [(r["mode"], r["epoch"], r["iter"], r["step"]) for r in reports(tmp_path)] == [
        ("train", 1, 5, 5),
        ("val", 1, 7, 5),
        ("val", 1, 5, 5),
    ]


def test_the_rest_of_an_epoch_is_reported_if_asked_for(run: Callable[..., list[str]]) -> None:
    lines = run({"max_epochs": 1}, interval=3, ignore_last=False)

    assert [line.split("\t")[0] for line in lines] == ["Epoch [1][3/5]", "Epoch [1][5/5]"]


def test_the_name_of_the_experiment_is_repeated(run: Callable[..., list[str]]) -> None:
    lines = run({"max_epochs": 1, "meta": {"exp_name": "faster.py"}}, interval=5)

    assert lines[0] == "Exp name: faster.py"


def test_reports_are_lines_of_json_with_the_same_content(
    run: Callable[..., list[str]], tmp_path: Path
) -> None:
    run({"max_epochs": 1}, interval=5)

    assert reports(tmp_path) == [
        {
            "mode": "train",
            "epoch": 1,
            "iter": 5,
            "lr": 0.1,
            "time": 0.5,
            "data_time": pytest.approx(0.05),
            "loss_cls": 3.0,
            "step": 5,
        }
    ]


def test_values_that_json_lacks_become_what_it_has() -> None:
    given = {
        "nan": math.nan,
        "inf": np.float32(np.inf),
        "number": np.int64(3),
        "tensor": torch.tensor(0.5),
        "array": np.array([1.0, np.nan]),
        "path": Path("a"),
        "flag": True,
        1: (None, "text"),
    }
    assert json_safe(given) == {
        "nan": None,
        "inf": None,
        "number": 3,
        "tensor": 0.5,
        "array": [1.0, None],
        "path": "a",
        "flag": True,
        "1": [None, "text"],
    }


def test_a_resumed_run_drops_the_lines_it_will_write_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 5, "a": 1}\n{"step": 10, "a": 2}\n{"step": 15, "a"')

    MetricsFile(path, start=5, aside="unused").append({"step": 10, "a": 3})

    assert path.read_text() == '{"step": 5, "a": 1}\n{"step": 10, "a": 3}\n'


def test_a_new_run_in_an_old_folder_puts_the_old_numbers_aside(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 5}\n')

    MetricsFile(path, start=0, aside="metrics_before.jsonl").append({"step": 1})

    assert path.read_text() == '{"step": 1}\n'
    assert (tmp_path / "metrics_before.jsonl").read_text() == '{"step": 5}\n'


def test_logs_are_copied_after_the_run_if_asked_to(
    run: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run({"max_epochs": 1}, interval=5, out_dir=str(out), keep_local=False)

    assert json.loads((out / "run" / "metrics.jsonl").read_text())["iter"] == 5
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    with pytest.raises(ValueError, match="out_dir"):
        TextLoggerHook(file_client_args={"backend": "disk"})


def test_only_the_last_logger_clears_what_they_all_report(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    seen: list[tuple[str, list[str]]] = []

    class Names(LoggerHook):
        def __init__(self, name: str) -> None:
            super().__init__(interval=5)
            self.name = name

        def log(self, runner: Any) -> None:
            seen.append((self.name, sorted(runner.log_buffer.output)))

    runner = make_runner(max_epochs=1)
    for name in ("first", "second"):
        runner.register_hook(Names(name))
    runner.run([batches], [("train", 1)])

    assert seen == [("first", ["loss"]), ("second", ["loss"])]
    assert runner.log_buffer.output == {}


def test_numbers_are_told_from_texts() -> None:
    for value in (1, 1.5, np.float32(1), np.array(2), torch.ones(1)):
        assert LoggerHook.is_scalar(value)
    for value in ("1", [1], np.ones(2), torch.ones(2), None):
        assert not LoggerHook.is_scalar(value)
    assert not LoggerHook.is_scalar(np.array(2), include_np=False)
    assert not LoggerHook.is_scalar(torch.ones(1), include_torch=False)


def test_tags_carry_the_mode_and_the_optimizers_settings(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=1)
    runner.mode = "train"
    runner.log_buffer.output.update(loss=0.5, time=1.0, note="slow")

    class Plain(LoggerHook):
        def log(self, runner: Any) -> None: ...

    rates = {"learning_rate": 0.1, "momentum": 0.9}
    assert Plain().get_loggable_tags(runner) == {"train/loss": 0.5, **rates}
    assert Plain().get_loggable_tags(
        runner, allow_text=True, add_mode=False, tags_to_skip=("loss",)
    ) == {"time": 1.0, "note": "slow", **rates}


def test_tensorboard_gets_a_point_for_every_report(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runner = make_runner(max_epochs=1)
    runner.register_hook(IterTimerHook(), "LOW")
    runner.register_hook(Scores())
    runner.register_hook(TensorboardLoggerHook(interval=2), "VERY_LOW")
    runner.run([batches], [("train", 1)])

    events = EventAccumulator(str(tmp_path / "run" / "tf_logs")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [2, 4]
    assert [event.value for event in events.Scalars("learning_rate")] == pytest.approx([0.1] * 3)
    (score,) = events.Scalars("val/bbox_mAP")
    assert (score.step, score.value) == (1, 0.25)


def test_without_tensorboard_the_pip_line_is_named(
    make_runner: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    runner = make_runner(max_epochs=1)
    runner.register_hook(TensorboardLoggerHook())

    with pytest.raises(MissingExtraError, match=r"pip install 'cvcore\[tensorboard\]'"):
        runner.call_hook("before_run")


def test_the_live_line_shows_progress_and_makes_way_for_messages() -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=60, color_system=None)
    logger = logging.Logger("test of the live line")
    logger.addHandler(logging.StreamHandler(terminal))
    line = LiveLine(console)
    line.attach(logger)

    line.show(12, 24, "epoch 1/2 loss 0.5000")
    assert terminal.getvalue() == "━" * 24 + " 12/24 epoch 1/2 loss 0.5000\r"
    line.show(13, 24, "too soon after the one before")
    assert "13/24" not in terminal.getvalue()

    logger.warning("a message")
    line.detach()
    logger.warning("another")
    after = terminal.getvalue().split("0.5000\r")[1]
    assert after == "\r\x1b[2Ka message\nanother\n"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        ({"max_epochs": 1}, " 1/5 epoch 1/1 eta 0:00:00 cls 1"),
        ({"max_iters": 7}, " 1/7 eta 0:00:00 cls 1"),
    ],
)
def test_on_a_terminal_a_run_shows_where_it_is(
    run: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    length: dict[str, int],
    shown: str,
) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(text, "LiveLine", lambda: LiveLine(console))

    run(length, interval=5, by_epoch="max_epochs" in length)

    drawn = terminal.getvalue()
    assert drawn.lstrip("━").startswith(shown)
    assert drawn.endswith("\r\x1b[2K")  # nothing is left of it


def test_without_a_terminal_there_is_no_live_line(
    run: Callable[..., list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    run({"max_epochs": 1}, interval=5)
    assert not re.search("\x1b|\r|━", "".join(capfd.readouterr()))
