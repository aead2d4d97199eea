from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import (
    HOOKS,
    BaseRunner,
    CosineAnnealingLrUpdaterHook,
    CyclicLrUpdaterHook,
    EpochBasedRunner,
    FixedLrUpdaterHook,
    FlatCosineAnnealingLrUpdaterHook,
    Hook,
    LrUpdaterHook,
    OneCycleLrUpdaterHook,
    OneCycleMomentumUpdaterHook,
    StepLrUpdaterHook,
    StepMomentumUpdaterHook,
)


class Record(Hook):
    def __init__(self) -> None:
        self.rates: list[Any] = []
        self.momenta: list[Any] = []

    def before_train_iter(self, runner: Any) -> None:
        self.rates.append(runner.current_lr())
        self.momenta.append(runner.current_momentum())


class Still(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.zeros(1))
        self.two = nn.Parameter(torch.zeros(1))

    def train_step(self, batch: Any, optimizer: Any) -> dict[str, Any]:
        return {"num_samples": 1}


def record(optimizer: Callable[[Still], Any], *hooks: Hook, epochs: int = 2) -> Record:
    model = Still()
    runner = EpochBasedRunner(model, optimizer=optimizer(model), max_epochs=epochs)
    for hook in hooks:
        runner.register_hook(hook)
    notes = Record()
    runner.register_hook(notes, "LOWEST")
    runner.run([[0, 0]], [("train", 1)])
    return notes


def sgd(model: Still) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.8)


def adam(model: Still) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.8, 0.99))


def both(model: Still) -> dict[str, torch.optim.Optimizer]:
    return {
        "one": torch.optim.SGD([model.one], lr=1.0, momentum=0.8),
        "two": torch.optim.Adam([model.two], lr=10.0, betas=(0.4, 0.9)),
    }


def test_a_schedule_reaches_every_one_of_several_optimizers() -> None:
    notes = record(both, StepLrUpdaterHook(step=1), StepMomentumUpdaterHook(step=1))

    assert notes.rates[0] == {"one": [1.0], "two": [10.0]}
    assert notes.rates[-1] == {"one": [pytest.approx(0.1)], "two": [pytest.approx(1.0)]}
    assert notes.momenta[-1] == {"one": [0.4], "two": [0.2]}


def test_momentum_of_adam_is_its_first_beta() -> None:
    model = Still()
    optimizer = adam(model)
    runner = EpochBasedRunner(model, optimizer=optimizer, max_epochs=2)
    runner.register_hook(StepMomentumUpdaterHook(step=[1], gamma=0.5, min_momentum=0.45))
    runner.run([[0]], [("train", 1)])

    assert optimizer.param_groups[0]["betas"] == (0.45, 0.99)


def test_warm_up_can_be_counted_in_epochs() -> None:
    hook = FixedLrUpdaterHook(
        warmup="linear", warmup_iters=2, warmup_ratio=0.5, warmup_by_epoch=True
    )
    notes = record(sgd, hook, epochs=3)

    # Two epochs are four iterations.
    assert [rates[0] for rates in notes.rates] == pytest.approx([0.5, 0.625, 0.75, 0.875, 1, 1])


def test_momentum_is_divided_during_warm_up() -> None:
    hook = StepMomentumUpdaterHook(step=9, warmup="constant", warmup_iters=2, warmup_ratio=0.9)
    notes = record(sgd, hook)

    assert [values[0] for values in notes.momenta] == pytest.approx([0.8 / 0.9] * 2 + [0.8] * 2)


def test_one_cycle_takes_a_top_for_every_optimizer_and_group() -> None:
    hook = OneCycleLrUpdaterHook(max_lr={"one": [1.0], "two": 5.0}, div_factor=5, total_steps=40)
    notes = record(both, hook)

    assert notes.rates[0] == {"one": [pytest.approx(0.2)], "two": [pytest.approx(1.0)]}


def test_one_cycle_of_torch_is_the_same() -> None:
    """torch.optim.lr_scheduler.OneCycleLR is an independent statement of the schedule."""
    model = Still()
    reference = sgd(model)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        reference, max_lr=2.0, total_steps=4, base_momentum=0.7, max_momentum=0.9
    )
    expected = []
    for _ in range(4):
        group = reference.param_groups[0]
        expected.append((group["lr"], group["momentum"]))
        reference.step()
        scheduler.step() if len(expected) < 4 else None

    notes = record(
        sgd,
        OneCycleLrUpdaterHook(max_lr=2.0),
        OneCycleMomentumUpdaterHook(base_momentum=0.7, max_momentum=0.9),
    )

    found = [(rate[0], mom[0]) for rate, mom in zip(notes.rates, notes.momenta, strict=True)]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other)


def test_a_curve_of_ones_own_is_one_method(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    @HOOKS.register_module(name="TestOnlyLrUpdaterHook")
    class Sine(LrUpdaterHook):
        def get_lr(self, runner: Any, base_lr: float) -> float:
            return base_lr * math.sin(math.pi / 2 * runner.iter)

    try:
        runner = make_runner(max_epochs=1)
        runner.register_lr_hook({"policy": "TestOnly", "by_epoch": False})
        notes = Record()
        runner.register_hook(notes)
        runner.run([batches[:4]], [("train", 1)])
    finally:
        HOOKS.module_dict.pop("TestOnlyLrUpdaterHook")

    assert [rates[0] for rates in notes.rates] == pytest.approx([0, 0.1, 0, -0.1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedLrUpdaterHook(warmup="cos"), "constant, linear, exp, not 'cos'"),
        (lambda: FixedLrUpdaterHook(warmup="exp"), "warmup_iters above 0"),
        (lambda: FixedLrUpdaterHook(warmup="exp", warmup_iters=1, warmup_ratio=0), "warmup_ratio"),
        (lambda: StepLrUpdaterHook(step=[0, 1]), "above 0"),
        (CosineAnnealingLrUpdaterHook, "exactly one of min_lr and min_lr_ratio"),
        (
            lambda: CosineAnnealingLrUpdaterHook(min_lr=0, min_lr_ratio=0.1),
            "exactly one of min_lr and min_lr_ratio",
        ),
        (lambda: FlatCosineAnnealingLrUpdaterHook(start_percent=2, min_lr=0), "start_percent"),
        (lambda: CyclicLrUpdaterHook(by_epoch=True), "by_epoch must be False"),
        (lambda: CyclicLrUpdaterHook(target_ratio=(1, 2, 3)), "target_ratio"),
        (lambda: CyclicLrUpdaterHook(step_ratio_up=1), "step_ratio_up"),
        (lambda: CyclicLrUpdaterHook(gamma=2), "gamma"),
        (lambda: CyclicLrUpdaterHook(anneal_strategy="exp"), "'cos' or 'linear'"),
        (lambda: OneCycleLrUpdaterHook(max_lr=1, by_epoch=True), "by_epoch must be False"),
        (lambda: record(sgd, OneCycleLrUpdaterHook(max_lr=1, total_steps=3)), "shorter"),
        (lambda: record(sgd, OneCycleLrUpdaterHook(max_lr=[1, 2])), "2 values for 1 groups"),
        (lambda: record(sgd, OneCycleLrUpdaterHook(max_lr=1, pct_start=2)), "pct_start"),
    ],
)
def test_settings_that_make_no_curve_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_single_ratio_of_a_cycle_gives_its_end_too() -> None:
    assert CyclicLrUpdaterHook(target_ratio=10).cycle.ratios == (10, 1e-4)
    assert CyclicLrUpdaterHook(target_ratio=[5]).cycle.ratios == (5, 5e-5)


def test_momentum_needs_an_optimizer_that_has_it() -> None:
    def adadelta(model: Still) -> torch.optim.Optimizer:
        return torch.optim.Adadelta(model.parameters())

    with pytest.raises(ValueError, match="neither momentum nor betas"):
        record(adadelta, OneCycleMomentumUpdaterHook())
