from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import BaseRunner, Hook
from cvcore.runner.training_state import load_training_states, training_states

EVERY_STEP = {"interval": 1, "by_epoch": False}


class Rising(nn.Module):
    """Scales by how often it was called in training; the count is no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls

    def training_state(self) -> dict[str, Any]:
        return {"calls": self.calls} if self.calls else {}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        self.calls = state["calls"]


class Stop(Hook):
    def before_train_iter(self, runner: Any) -> None:
        if runner.iter == 3:
            raise StopIteration


@pytest.fixture
def start(
    make_runner: Callable[..., BaseRunner], toy_model: Callable[..., Any], tmp_path: Path
) -> Callable[[str], BaseRunner]:
    """Make a run of two epochs that saves after every iteration."""

    def make(name: str) -> BaseRunner:
        model = toy_model()
        model.norm = nn.Sequential(nn.BatchNorm1d(3), Rising())
        runner = make_runner(model=model, work_dir=str(tmp_path / name), max_epochs=2)
        runner.register_training_hooks(None, {"grad_clip": None}, EVERY_STEP)
        return runner

    return make


def test_a_resumed_run_goes_on_from_the_state_and_equals_an_unbroken_one(
    start: Callable[[str], BaseRunner], batches: list[Tensor], tmp_path: Path
) -> None:
    start("whole").run([batches], [("train", 1)])
    first = start("parts")
    first.register_hook(Stop())
    with pytest.raises(StopIteration):
        first.run([batches], [("train", 1)])
    second = start("parts")
    second.resume(tmp_path / "parts" / "iter_3.pth")
    assert second.model.norm[1].calls == 3
    second.run([batches], [("train", 1)])
    one, other = (
        torch.load(tmp_path / name / "iter_10.pth", weights_only=True)
        for name in ("whole", "parts")
    )
    assert one["meta"]["training_states"] == [{"norm.1": {"calls": 10}}]
    assert other["meta"]["training_states"] == one["meta"]["training_states"]
    assert not any("calls" in key for key in one["state_dict"])
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key]), key


@pytest.mark.parametrize(("rank", "calls"), [(0, 4), (1, 7), (2, 4)])
def test_each_rank_goes_on_from_its_own_and_further_ranks_from_the_first(
    rank: int, calls: int
) -> None:
    model = nn.Sequential(Rising())
    load_training_states(
        model, [{"0": {"calls": 4}}, {"0": {"calls": 7}}], rank, logging.getLogger("states")
    )
    assert model[0].calls == calls


def test_a_state_that_belongs_to_no_module_is_named(caplog: pytest.LogCaptureFixture) -> None:
    model = nn.Sequential(Rising())
    load_training_states(model, [{"neck": {"calls": 4}}], 0, logging.getLogger("states"))
    assert "state of neck, which this model has not" in caplog.text
    assert training_states(model) == {}
