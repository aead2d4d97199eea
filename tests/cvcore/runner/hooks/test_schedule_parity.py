from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvcore.runner import EpochBasedRunner, Hook, IterBasedRunner

FIGURES = Path(__file__).parents[3] / "parity" / "lr_schedules.json.gz"
CASES: list[dict[str, Any]] = json.loads(gzip.decompress(FIGURES.read_bytes()))


class Silent(nn.Module):
    """A model of two parameters with nothing to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(1))
        self.second = nn.Parameter(torch.zeros(1))

    def train_step(self, batch: Any, optimizer: Any) -> dict[str, Any]:
        return {"loss": 0 * self.first.sum(), "log_vars": {}, "num_samples": 1}


class Recorder(Hook):
    """Writes down learning rate and momentum at the start of every iteration."""

    def __init__(self) -> None:
        self.sequence: list[Any] = []

    def before_train_iter(self, runner: Any) -> None:
        self.sequence.append([list(runner.current_lr()), list(runner.current_momentum())])


def test_the_figures_are_all_there() -> None:
    assert len(CASES) == 113


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=[f"{i}-{c['runner']}-{c['lr_config']['policy']}" for i, c in enumerate(CASES)],
)
def test_learning_rate_and_momentum_follow_the_reference(case: dict[str, Any]) -> None:
    model = Silent()
    groups = [{"params": [model.first]}, {"params": [model.second], "lr": 0.02}]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.95)
    runner: Any
    if case["runner"] == "epoch":
        runner = EpochBasedRunner(model, optimizer=optimizer, max_epochs=6)
    else:
        runner = IterBasedRunner(model, optimizer=optimizer, max_iters=30)
    runner.register_lr_hook(case["lr_config"])
    runner.register_momentum_hook(case["momentum_config"])
    recorder = Recorder()
    runner.register_hook(recorder, priority="LOWEST")

    runner.run([[0] * 5], [("train", 1)])

    expected = case["sequence"]
    assert len(recorder.sequence) == len(expected) == 30
    for found, wanted in zip(recorder.sequence, expected, strict=True):
        assert found[0] == pytest.approx(wanted[0], rel=1e-9, abs=1e-15)
        assert found[1] == pytest.approx(wanted[1], rel=1e-9, abs=1e-15)
