from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cvcore.runner import HOOKS, EpochBasedRunner, Hook, WeightAverageHook
from detcore.apis.hooks import ExpMomentumEMAHook, LinearMomentumEMAHook


class Counting(nn.Module):
    """Its weight and its buffers are the number of finished iterations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))

    def train_step(self, batch: Any, optimizer: Any = None) -> dict[str, Any]:
        with torch.no_grad():
            for each in (self.weight, self.mean, self.steps):
                each.add_(1)
        return {"loss": self.weight.sum(), "log_vars": {}, "num_samples": 1}


def averages(hook: WeightAverageHook) -> tuple[list[float], Counting]:
    """The average of the weight after each of six iterations."""
    model, seen = Counting(), []

    class Watch(Hook):
        def after_train_iter(self, runner: Any) -> None:
            seen.append(round(float(model.ema_weight), 6))

    runner = EpochBasedRunner(model, max_epochs=1)
    runner.register_hook(hook, 49)
    runner.register_hook(Watch())
    runner.run([[0] * 6], [("train", 1)])
    return seen, model


# Stored figures: MMDetection 2.28.2's hooks on a weight of 1, 2, ... 6.
FIGURES = [
    (ExpMomentumEMAHook, {}, [0.9995, 1.999, 2.9985, 3.997999, 4.997499, 5.996998]),
    (
        ExpMomentumEMAHook,
        {"total_iter": 3, "momentum": 0.1},
        [0.744878, 1.450351, 2.118392, 2.75294, 3.359619, 3.945261],
    ),
    (
        ExpMomentumEMAHook,
        {"total_iter": 3, "momentum": 0.1, "interval": 2},
        [0, 1.124151, 1.124151, 2.093995, 2.093995, 2.960354],
    ),
    (LinearMomentumEMAHook, {}, [0.0002, 0.0006, 0.0012, 0.002, 0.002999, 0.004199]),
    (
        LinearMomentumEMAHook,
        {"warm_up": 3, "momentum": 0.2, "interval": 2},
        [0, 0.08, 0.08, 0.2368, 0.2368, 0.467328],
    ),
]


@pytest.mark.parametrize(("kind", "arguments", "expected"), FIGURES)
def test_averages_are_those_of_mmdetection(
    kind: type[WeightAverageHook], arguments: dict[str, Any], expected: list[float]
) -> None:
    seen, model = averages(kind(**arguments))
    assert seen == pytest.approx(expected, abs=2e-6)
    # After the epoch the average stands in the place of the weight, and of the buffer.
    assert model.weight.item() == model.mean.item() == pytest.approx(expected[-1], abs=2e-6)
    assert model.steps.item() == 6 // arguments.get("interval", 1) * arguments.get("interval", 1)


def test_buffers_are_left_out_if_wanted() -> None:
    _, model = averages(HOOKS.build({"type": "ExpMomentumEMAHook", "skip_buffers": True}))
    assert not hasattr(model, "ema_mean")
    assert model.mean.item() == 6


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ExpMomentumEMAHook, {"total_iter": 0}),
        (ExpMomentumEMAHook, {"momentum": 1.5}),
        (LinearMomentumEMAHook, {"warm_up": 0}),
        (LinearMomentumEMAHook, {"interval": 0}),
    ],
)
def test_wrong_arguments_are_named(kind: type, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        kind(**arguments)
