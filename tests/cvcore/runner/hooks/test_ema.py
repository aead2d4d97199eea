from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.parallel import MMDataParallel
from cvcore.runner import BaseRunner, EMAHook, EpochBasedRunner, Hook, WeightAverageHook


class Counting(nn.Module):
    """Its weight is the number of finished iterations."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Module()
        self.part.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))
        self.register_buffer("mean", torch.zeros(1))

    def train_step(self, batch: Any, optimizer: Any = None) -> dict[str, Any]:
        with torch.no_grad():
            self.part.weight += 1
            self.steps += 1
            self.mean += 1
        return {"loss": self.part.weight.sum(), "log_vars": {}, "num_samples": 1}


class Watch(Hook):
    """Notes the weight that stands in the model at the end of an iteration and of an epoch."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def note(self, runner: Any) -> None:
        self.seen.append(round(runner.model.module.part.weight.item(), 6))

    before_train_iter = after_train_epoch = note


def run(hook: Hook, epochs: int = 2) -> tuple[Counting, list[float]]:
    model = Counting()
    watch = Watch()
    runner = EpochBasedRunner(MMDataParallel(model, device_ids=[-1]), max_epochs=epochs)
    runner.register_hook(hook, 49)
    runner.register_hook(watch)
    runner.run([[0, 0]], [("train", 1)])
    return model, watch.seen


def test_averages_stand_in_the_weights_place_after_an_epoch_only() -> None:
    model, seen = run(EMAHook(momentum=0.5, warm_up=1))

    # warm_up 1 leaves the momentum at 0.5: 0 -> 0.5 -> 1.25 -> 2.125 -> 3.0625.
    assert seen == [0, 1, 1.25, 2, 3, 3.0625]
    assert model.part.weight.item() == 3.0625
    assert model.ema_part_weight.item() == 4
    assert sorted(model.state_dict()) == ["ema_part_weight", "mean", "part.weight", "steps"]


def test_a_warm_up_begins_with_a_small_momentum() -> None:
    model, _ = run(EMAHook(momentum=0.9, warm_up=4), epochs=1)

    # (1 + 0) / (4 + 0) = 1/4 on the weight 1, then (1 + 1) / (4 + 1) = 2/5 on the weight 2.
    expected = (1 - 2 / 5) * (1 / 4) + 2 / 5 * 2
    assert model.part.weight.item() == pytest.approx(expected)


def test_an_interval_skips_iterations_and_takes_a_power_of_the_momentum() -> None:
    hook = EMAHook(momentum=0.5, warm_up=1, interval=2)
    model, _ = run(hook, epochs=1)

    assert hook.momentum == 0.25
    assert model.part.weight.item() == 0.25  # iteration 0 only, with the weight 1


def test_buffers_can_be_averaged_too_and_counters_are_copied() -> None:
    class Everything(WeightAverageHook):
        def momentum_at(self, runner: Any) -> float:
            return 0.5

    model, _ = run(Everything(skip_buffers=False), epochs=1)

    assert (model.mean.item(), model.ema_mean.item()) == (1.25, 2)
    assert (model.steps.item(), model.ema_steps.item()) == (2, 2)


def test_the_hook_can_resume_by_itself(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor], tmp_path: Path
) -> None:
    first = make_runner(max_epochs=1)
    first.register_training_hooks({"policy": "fixed"}, {}, {"interval": 1})
    first.register_hook(EMAHook(momentum=0.3), 49)
    first.run([batches], [("train", 1)])

    second = make_runner(max_epochs=1)
    second.register_hook(EMAHook(momentum=0.3, resume_from=str(tmp_path / "run/epoch_1.pth")))
    second.run([batches], [("train", 1)])

    assert second.epoch == 1
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key]), key


def test_a_run_that_did_not_average_before_begins_with_its_weights(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    plain = make_runner(max_epochs=2)
    with torch.no_grad():
        plain.model.linear.weight.fill_(5)
    plain.save_checkpoint(tmp_path)

    runner = make_runner(max_epochs=2)
    hook = EMAHook()
    runner.register_hook(hook)
    runner.resume(tmp_path / "epoch_1.pth")
    runner.call_hook("before_run")

    assert torch.equal(runner.model.ema_linear_weight, runner.model.linear.weight)
    assert not hook.swapped


@pytest.mark.parametrize(
    "arguments", [{"momentum": 0}, {"momentum": 1.0}, {"warm_up": 0}, {"interval": 0}]
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        EMAHook(**arguments)
