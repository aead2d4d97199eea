from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from cvcore.runner import HOOKS, BaseRunner, Hook

MOMENTS = [name for name in dir(Hook) if name.startswith(("before_", "after_"))]


class EveryMoment(Hook):
    """Writes the name of every moment into a list that it may share with others."""

    def __init__(self, calls: list[str], name: str = "") -> None:
        self.calls = calls
        for moment in MOMENTS:
            setattr(self, moment, self._note(f"{name}{moment}"))

    def _note(self, text: str) -> Callable[[Any], None]:
        return lambda runner: self.calls.append(text)


def test_moments_of_a_run_by_epochs_come_in_this_order(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    calls: list[str] = []
    runner = make_runner(max_epochs=2)
    runner.register_hook(EveryMoment(calls))

    runner.run([batches[:2], batches[:1]], [("train", 1), ("val", 1)])

    epoch = [
        "before_train_epoch",
        "before_train_iter",
        "after_train_iter",
        "before_train_iter",
        "after_train_iter",
        "after_train_epoch",
        "before_val_epoch",
        "before_val_iter",
        "after_val_iter",
        "after_val_epoch",
    ]
    assert calls == ["before_run", *epoch, *epoch, "after_run"]


def test_moments_of_a_run_by_iterations_come_in_this_order(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    calls: list[str] = []
    runner = make_runner(max_iters=3)
    runner.register_hook(EveryMoment(calls))

    runner.run([batches[:2], batches[:1]], [("train", 2), ("val", 1)])

    assert calls == [
        "before_run",
        "before_epoch",
        "before_train_iter",
        "after_train_iter",
        "before_train_iter",
        "after_train_iter",
        "before_val_iter",
        "after_val_iter",
        "before_train_iter",
        "after_train_iter",
        "before_val_iter",
        "after_val_iter",
        "after_epoch",
        "after_run",
    ]


def test_training_and_validation_moments_fall_back_on_the_general_ones() -> None:
    calls: list[str] = []
    hook = Hook()
    for moment in ("before_epoch", "after_epoch", "before_iter", "after_iter"):
        setattr(hook, moment, lambda runner, moment=moment: calls.append(moment))

    for mode in ("train", "val"):
        for moment in ("before_{}_epoch", "before_{}_iter", "after_{}_iter", "after_{}_epoch"):
            getattr(hook, moment.format(mode))(None)

    once = ["before_epoch", "before_iter", "after_iter", "after_epoch"]
    assert calls == [*once, *once]


def test_a_hook_says_at_which_moments_it_does_something() -> None:
    class Both(Hook):
        def before_epoch(self, runner: Any) -> None: ...

        def after_val_iter(self, runner: Any) -> None: ...

    assert Hook().get_triggered_stages() == []
    assert Both().get_triggered_stages() == [
        "before_train_epoch",
        "before_val_epoch",
        "after_val_iter",
    ]


class Progress:
    """The counters of a runner."""

    def __init__(self, epoch: int = 0, iteration: int = 0, inner: int = 0) -> None:
        self.epoch, self.iter, self.inner_iter = epoch, iteration, inner
        self.max_epochs, self.max_iters, self.data_loader = 4, 20, range(5)


@pytest.mark.parametrize(
    ("question", "progress", "yes"),
    [
        (lambda hook, run: hook.every_n_epochs(run, 2), {"epoch": 1}, True),
        (lambda hook, run: hook.every_n_epochs(run, 2), {"epoch": 2}, False),
        (lambda hook, run: hook.every_n_epochs(run, -1), {"epoch": 0}, False),
        (lambda hook, run: hook.every_n_iters(run, 10), {"iteration": 9}, True),
        (lambda hook, run: hook.every_n_iters(run, 10), {"iteration": 10}, False),
        (lambda hook, run: hook.every_n_iters(run, 0), {"iteration": 9}, False),
        (lambda hook, run: hook.every_n_inner_iters(run, 3), {"inner": 2}, True),
        (lambda hook, run: hook.every_n_inner_iters(run, 3), {"inner": 3}, False),
        (lambda hook, run: hook.end_of_epoch(run), {"inner": 4}, True),
        (lambda hook, run: hook.end_of_epoch(run), {"inner": 3}, False),
        (lambda hook, run: hook.is_last_epoch(run), {"epoch": 3}, True),
        (lambda hook, run: hook.is_last_epoch(run), {"epoch": 2}, False),
        (lambda hook, run: hook.is_last_iter(run), {"iteration": 19}, True),
        (lambda hook, run: hook.is_last_iter(run), {"iteration": 18}, False),
    ],
)
def test_intervals_and_ends_are_counted_from_one(
    question: Callable[..., bool], progress: dict[str, int], yes: bool
) -> None:
    assert question(Hook(), Progress(**progress)) is yes


def test_a_users_hook_joins_by_its_config_at_its_priority(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    calls: list[str] = []

    @HOOKS.register_module(name="TestOnlyAnnouncer")
    class Announcer(Hook):
        def __init__(self, text: str) -> None:
            self.text = text

        def after_train_iter(self, runner: Any) -> None:
            # The optimizer hook, at 40, has left gradients behind when those after it are called.
            has_gradient = runner.model.linear.weight.grad is not None
            calls.append(f"{self.text} {'after' if has_gradient else 'before'} the step")

    try:
        runner = make_runner(max_epochs=1)
        custom = [
            {"type": "TestOnlyAnnouncer", "text": "normal"},
            {"type": "TestOnlyAnnouncer", "text": "39", "priority": 39},
            {"type": "TestOnlyAnnouncer", "text": "lowest", "priority": "LOWEST"},
            {"type": "TestOnlyAnnouncer", "text": "above", "priority": "ABOVE_NORMAL"},
        ]
        runner.register_training_hooks({"policy": "fixed"}, {}, custom_hooks_config=custom)
        runner.run([batches[:1]], [("train", 1)])
    finally:
        HOOKS.module_dict.pop("TestOnlyAnnouncer")

    assert calls == [
        "39 before the step",
        "above after the step",
        "normal after the step",
        "lowest after the step",
    ]
