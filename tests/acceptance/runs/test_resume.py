"""Section D: a run that is stopped and resumed ends where an unbroken one does, to the bit."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.runs.conftest import assert_same_run, final
from tests.acceptance.runs.toy_run import build, parse

from cvcore.errors import CheckpointError
from cvcore.runner import Hook

WARMUP = 14  # iterations, of 24


class Killed(BaseException):
    """Stands for the end of a process."""


class KillAt(Hook):
    """Ends a run before an iteration, without any chance to save."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Any) -> None:
        if runner.iter == self.iteration:
            raise Killed


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Any]:
    """Train the toy in a folder of the given name; ``kill`` ends it before that iteration."""

    def go(name: str, *options: str, kill: int | None = None, seed: int = 7) -> Any:
        runner, loaders = build(parse([str(tmp_path / name), "--seed", str(seed), *options]))
        if kill is not None:
            runner.register_hook(KillAt(kill))
        flow = [("train", 4 if "--iters" in options else 1)]
        if "--validate" in options:
            flow.append(("val", 3 if "--iters" in options else 1))
        if kill is None:
            runner.run(loaders, flow)
        else:
            with pytest.raises(Killed):
                runner.run(loaders, flow)
        return runner

    return go


FOUR_EPOCHS = ("--epochs", "4", "--evaluate")


def test_D1_two_epochs_and_two_resumed_equal_four(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    train("whole", *FOUR_EPOCHS)
    train("parts", *FOUR_EPOCHS, kill=12)
    train("parts", *FOUR_EPOCHS, "--resume", seed=99)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kill", [9, 12, 13, 17])
def test_D2_a_stop_in_mid_epoch(train: Callable[..., Any], tmp_path: Path, kill: int) -> None:
    options = ("--epochs", "4", "--save-every", "1")
    train("whole", *options)
    train("parts", *options, kill=kill)
    train("parts", *options, "--resume", seed=99)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kill", [5, 6, 15])
def test_D2_a_stop_inside_a_run_by_iterations(
    train: Callable[..., Any], tmp_path: Path, kill: int
) -> None:
    options = ("--iters", "24", "--save-every", "1", "--validate")
    train("whole", *options)
    train("parts", *options, kill=kill)
    train("parts", *options, "--resume", seed=99)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_D3_raw_and_averaged_weights_both_come_back(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    train("whole", "--epochs", "3")
    train("parts", "--epochs", "3", kill=6)
    train("parts", "--epochs", "3", "--resume", seed=99)
    one, other = final(tmp_path / "whole")["state_dict"], final(tmp_path / "parts")["state_dict"]
    for name in ("linear.weight", "ema_linear_weight", "norm.bias", "ema_norm_bias"):
        assert one[name].equal(other[name]), name
    assert not one["linear.weight"].equal(one["ema_linear_weight"])


def test_D4_lr_and_momentum_go_on_inside_the_warm_up(
    train: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--epochs", "4", "--save-every", "1")
    kill = 9
    assert kill < WARMUP
    train("whole", *options)
    whole = capsys.readouterr().out.splitlines()
    train("parts", *options, kill=kill)
    train("parts", *options, "--resume", seed=99)
    parts = capsys.readouterr().out.splitlines()
    assert len(whole) == 24
    # Number of the step, lr, momentum and loss, to the bit.
    assert parts == whole


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (1, 2)])
def test_D5_another_number_of_workers(
    train: Callable[..., Any], tmp_path: Path, before: int, after: int
) -> None:
    options = ("--epochs", "2", "--save-every", "1")
    train("whole", *options)
    for kill in (3, 6):
        name = f"parts{kill}"
        train(name, *options, "--workers", str(before), kill=kill)
        train(name, *options, "--workers", str(after), "--resume", seed=99)
        assert_same_run(tmp_path / "whole", tmp_path / name)


def test_D6_another_batch_size_rescales_the_iteration_with_one_message(
    train: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    train("run", "--epochs", "4", "--save-every", "1", kill=8)
    caplog.clear()
    runner = train("run", "--epochs", "4", "--save-every", "1", "--batch", "4", "--resume")
    said = [r.getMessage() for r in caplog.records if "samples a batch" in r.getMessage()]
    assert len(said) == 1
    assert "a run with 2 samples a batch, this one has 4: iteration 8 becomes 4" in said[0]
    # Three epochs of three iterations are left, the interrupted one from its beginning.
    assert (runner.epoch, runner.iter) == (4, 4 + 9)


def test_D6_another_number_of_processes_rescales_the_iteration_with_one_message(
    train: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from cvcore.runner.checkpoint import write_checkpoint

    train("run", "--epochs", "2")
    content = final(tmp_path / "run")
    content["meta"].update(epoch=1, world_size=2)
    shutil.rmtree(tmp_path / "run")
    write_checkpoint(content, tmp_path / "run" / "epoch_1.pth")
    caplog.clear()
    train("run", "--epochs", "2", "--resume")
    said = [r.getMessage() for r in caplog.records if "processes" in r.getMessage()]
    assert len(said) == 1
    assert "a run on 2 processes, this one has 1: iteration 12 becomes 24" in said[0]


def test_D7_another_optimizer_is_an_error(train: Callable[..., Any], tmp_path: Path) -> None:
    import torch

    train("run", "--epochs", "1")
    runner, _ = build(parse([str(tmp_path / "run"), "--epochs", "2"]))
    runner.optimizer = torch.optim.AdamW(runner.model.parameters())
    with pytest.raises(CheckpointError, match=r"optimizer is SGD, this run's is AdamW.*load_from"):
        runner.resume(tmp_path / "run" / "epoch_1.pth")


def test_D7_another_model_is_an_error_that_lists_the_keys(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    from torch import nn

    train("run", "--epochs", "1")
    runner, _ = build(parse([str(tmp_path / "run"), "--epochs", "2"]))
    runner.model.linear = nn.Linear(2, 5)
    runner.model.extra = nn.Linear(1, 1)
    with pytest.raises(CheckpointError) as caught:
        runner.resume(tmp_path / "run" / "epoch_1.pth")
    text = str(caught.value)
    assert "linear.weight" in text
    assert "file (3, 2), model (5, 2)" in text
    assert "extra.bias" in text


@pytest.mark.parametrize("kill", [5, 8, 15])
def test_resume_inside_a_step_of_several_iterations(
    train: Callable[..., Any], tmp_path: Path, kill: int
) -> None:
    """Gradient accumulation over three iterations, stopped after two of them, or after one."""
    options = ("--epochs", "4", "--save-every", "1", "--accumulate", "3")
    train("whole", *options)
    train("parts", *options, kill=kill)
    train("parts", *options, "--resume", seed=99)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
