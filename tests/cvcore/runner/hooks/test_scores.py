"""Hooks that act on the scores of a run: early stopping, and the rate that falls on a plateau."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cvcore.errors import CvcoreError
from cvcore.runner import (
    BaseRunner,
    EarlyStoppingHook,
    EvalHook,
    Hook,
    ReduceOnPlateauLrUpdaterHook,
)


class Scored(Dataset):
    """Every evaluation gives the next of some scores."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = list(scores)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Tensor:
        return torch.zeros(2)

    def evaluate(self, results: Any, logger: Any = None) -> dict[str, float]:
        return {"bbox_mAP": self.scores.pop(0)}


class Rates(Hook):
    """Notes the learning rate of every epoch or iteration."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def before_train_iter(self, runner: Any) -> None:
        self.seen.append(runner.current_lr()[0])


@pytest.fixture
def run(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> Callable[..., tuple[BaseRunner, list[float]]]:
    """Run, one iteration an epoch, with an evaluation after each; gives the rates as well."""

    def go(
        hook: dict[str, Any] | None,
        scores: list[float],
        lr: dict[str, Any] | None = None,
        resume: Path | None = None,
        **length: int,
    ) -> tuple[BaseRunner, list[float]]:
        runner = make_runner(**(length or {"max_epochs": 10}))
        by_epoch = runner.max_epochs is not None
        rates = Rates()
        log = {"interval": 1, "hooks": [{"type": "TextLoggerHook"}]}
        custom: list[Any] = [rates, *([hook] if hook else [])]
        lr_config = lr or {"policy": "fixed"}
        # All that a training registers, loggers that clear the scores among it.
        runner.register_training_hooks(
            lr_config, {}, {"interval": 1}, log, custom_hooks_config=custom
        )
        evaluation = EvalHook(
            DataLoader(Scored(scores)), by_epoch=by_epoch, test_fn=lambda model, loader: []
        )
        runner.register_hook(evaluation, "LOW")
        if resume is not None:
            runner.resume(resume)
        runner.run([batches[:1]], [("train", 1)])
        return runner, rates.seen

    return go


STOP = {"type": "EarlyStoppingHook", "monitor": "bbox_mAP", "patience": 2}


@pytest.mark.parametrize("priority", ["NORMAL", "LOWEST"])
def test_a_run_ends_when_its_score_stands_still(
    run: Callable[..., tuple[BaseRunner, list[float]]], priority: str
) -> None:
    # The best is the second; the third and the fourth are not better.
    runner, _ = run({**STOP, "priority": priority}, [0.1, 0.3, 0.3, 0.2, 0.9])
    assert (runner.epoch, runner.iter) == (4, 4)
    assert runner.meta is not None
    assert runner.meta["hook_msgs"]["early_stopping"] == {"best": 0.3, "waited": 2}


def test_a_run_by_iterations_ends_likewise(
    run: Callable[..., tuple[BaseRunner, list[float]]],
) -> None:
    runner, _ = run({**STOP, "rule": "less", "min_delta": 0.2}, [0.9, 0.8, 0.75], max_iters=9)
    assert runner.iter == 3


def test_a_score_that_gets_better_or_is_not_a_number(
    run: Callable[..., tuple[BaseRunner, list[float]]],
) -> None:
    runner, _ = run(STOP, [math.nan, 0.1, 0.2, math.nan, 0.3, math.nan, math.nan])
    assert runner.epoch == 7
    runner, _ = run({**STOP, "stopping_threshold": 0.5}, [0.1, 0.5])
    assert runner.epoch == 2


def test_a_resumed_run_counts_on(
    run: Callable[..., tuple[BaseRunner, list[float]]], tmp_path: Path
) -> None:
    run(STOP, [0.5, 0.4, 0.4], max_epochs=3)
    # The checkpoint of epoch 3 is written before that epoch's evaluation, and knows of two.
    runner, _ = run(STOP, [0.4], resume=tmp_path / "run" / "epoch_3.pth", max_epochs=9)
    assert runner.epoch == 4


def test_averages_of_validation_epochs_are_scores_too(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    runner = make_runner(max_epochs=5)
    losses = iter([3.0, 1.0, 2.0, 2.0])

    def val_step(batch: Any, optimizer: Any = None) -> dict[str, Any]:
        return {"log_vars": {"loss": next(losses)}, "num_samples": 1}

    runner.model.val_step = val_step  # type: ignore[method-assign]
    runner.register_hook(EarlyStoppingHook("loss", patience=1))
    # Means of 3 and 1, then of 2 and 2.
    runner.run([batches[:1], batches[:2]], [("train", 1), ("val", 1)])
    assert runner.epoch == 2


def test_a_misspelt_score_is_an_error_with_the_nearest_name(
    run: Callable[..., tuple[BaseRunner, list[float]]],
) -> None:
    with pytest.raises(CvcoreError, match=r"no score 'bbox_map' to go by; nearest: 'bbox_mAP'"):
        run({**STOP, "monitor": "bbox_map"}, [0.1])
    with pytest.raises(ValueError, match="set rule to 'greater' or 'less'"):
        EarlyStoppingHook("quality")
    for arguments, message in (
        ({"rule": "more"}, "rule is 'greater' or 'less'"),
        ({"patience": 0}, "patience"),
        ({"min_delta": -1}, "min_delta"),
    ):
        with pytest.raises(ValueError, match=message):
            EarlyStoppingHook("loss", **arguments)


PLATEAU = {"policy": "ReduceOnPlateau", "monitor": "bbox_mAP", "patience": 1, "factor": 0.5}
SCORES = [0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3]


@pytest.mark.parametrize("cooldown", [0, 2])
def test_the_rate_falls_as_that_of_torch_does(
    run: Callable[..., tuple[BaseRunner, list[float]]], cooldown: int
) -> None:
    _, rates = run(None, SCORES, {**PLATEAU, "cooldown": cooldown, "min_lr": 0.02})

    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.5, patience=1, cooldown=cooldown, min_lr=0.02
    )
    expected = []
    for score in SCORES:
        expected.append(optimizer.param_groups[0]["lr"])
        scheduler.step(score)
    assert rates == pytest.approx(expected)
    assert rates[-1] < rates[0]


def test_by_iterations_it_warms_up_first(
    run: Callable[..., tuple[BaseRunner, list[float]]],
) -> None:
    warmup = {"warmup": "constant", "warmup_iters": 2, "warmup_ratio": 0.1}
    _, rates = run(None, [0.1, 0.1, 0.1, 0.2], {**PLATEAU, **warmup}, max_iters=4)
    # Two evaluations that are not better than the first halve the rate.
    assert rates == pytest.approx([0.01, 0.01, 0.1, 0.05])


def test_a_resumed_run_keeps_its_rate_and_its_count(
    run: Callable[..., tuple[BaseRunner, list[float]]], tmp_path: Path
) -> None:
    _, first = run(None, [0.2, 0.1, 0.1, 0.1], PLATEAU, max_epochs=4)
    assert first == pytest.approx([0.1, 0.1, 0.1, 0.05])
    # The fourth epoch's evaluation came after its checkpoint; this one is counted in its place.
    checkpoint = tmp_path / "run" / "epoch_4.pth"
    _, second = run(None, [0.1, 0.1, 0.1], PLATEAU, resume=checkpoint, max_epochs=7)
    assert second == pytest.approx([0.05, 0.05, 0.025])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Factor should be < 1\.0"):
        ReduceOnPlateauLrUpdaterHook("loss", factor=2)


ON_EACH_RANK = """
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from cvcore.runner import DistEvalHook, EarlyStoppingHook, EpochBasedRunner, OptimizerHook

class Scored(Dataset):
    def __len__(self):
        return 1
    def __getitem__(self, index):
        return torch.zeros(1)
    def evaluate(self, results, logger=None):
        return dict(acc=0.5)

model = nn.Linear(1, 1)
model.train_step = lambda batch, optimizer: dict(loss=model(batch).sum())
runner = EpochBasedRunner(
    model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), work_dir='.', max_epochs=9
)
runner.register_hook(OptimizerHook())
runner.register_hook(EarlyStoppingHook('acc', patience=2))
runner.register_hook(
    DistEvalHook(DataLoader(Scored()), test_fn=lambda model, loader, **where: []), 'LOW'
)
runner.run([[torch.ones(1, 1)]], [('train', 1)])
print(runner.epoch)
"""


@pytest.mark.slow
def test_every_rank_ends_with_the_first(
    run_on_two_ranks: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [said.split() for said in run_on_two_ranks(ON_EACH_RANK)] == [["3"], ["3"]]
