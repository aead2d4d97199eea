from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cvcore.errors import ConfigError
from cvcore.parallel import MMDataParallel
from cvcore.runner import (
    BaseRunner,
    EpochBasedRunner,
    Hook,
    IterTimerHook,
    Priority,
    get_priority,
)


class First(Hook):
    def before_run(self, runner: Any) -> None: ...


class Second(Hook):
    def before_run(self, runner: Any) -> None: ...


def names(runner: BaseRunner) -> list[str]:
    return [type(hook).__name__ for hook in runner.hooks]


def test_training_hooks_stand_in_the_order_of_their_priorities(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=1)
    runner.register_training_hooks(
        {"policy": "step", "step": [1]},
        {"grad_clip": None},
        {"interval": 1},
        {"interval": 5, "hooks": [{"type": "TextLoggerHook"}]},
        {"policy": "cyclic"},
        custom_hooks_config=[First(), {"type": "EMAHook", "priority": 49}],
    )

    assert [(type(h).__name__, h.priority) for h in runner.hooks] == [
        ("StepLrUpdaterHook", 10),
        ("CyclicMomentumUpdaterHook", 30),
        ("OptimizerHook", 40),
        ("EMAHook", 49),
        ("CheckpointHook", 50),
        ("First", 50),
        ("IterTimerHook", 70),
        ("TextLoggerHook", 90),
    ]
    assert runner.hooks[-1].interval == 5  # type: ignore[attr-defined]


def test_hooks_of_equal_priority_keep_the_order_of_registration(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=1)
    for hook, priority in ((Second(), 50), (First(), "NORMAL"), (Second(), 10), (First(), 90)):
        runner.register_hook(hook, priority)

    assert names(runner) == ["Second", "Second", "First", "First"]


def test_a_hook_may_be_registered_once_only(make_runner: Callable[..., BaseRunner]) -> None:
    runner = make_runner(max_epochs=1)
    hook = First()
    runner.register_hook(hook)

    with pytest.raises(ValueError, match="reserved"):
        runner.register_hook(hook)
    with pytest.raises(TypeError, match="class Hook"):
        runner.register_hook("First")  # type: ignore[arg-type]


def test_hook_info_lists_every_moment_with_its_hooks(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=1)
    runner.register_hook(First(), "LOW")
    runner.register_hook(Second(), 3)

    assert runner.get_hook_info() == (
        "before_run:\n(3           ) Second\n(LOW         ) First\n -------------------- "
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"policy": "fixed"}, "FixedLrUpdaterHook"),
        ({"policy": "cyclic"}, "CyclicLrUpdaterHook"),
        ({"policy": "CosineAnnealing", "min_lr": 0}, "CosineAnnealingLrUpdaterHook"),
        ({"type": "PolyLrUpdaterHook"}, "PolyLrUpdaterHook"),
    ],
)
def test_a_policy_names_its_hook(
    make_runner: Callable[..., BaseRunner], policy: dict[str, Any], expected: str
) -> None:
    runner = make_runner(max_epochs=1)
    given = dict(policy)
    runner.register_lr_hook(given)

    assert names(runner) == [expected]
    assert given == policy  # a config stays as the user wrote it


def test_none_leaves_a_hook_out_and_an_object_is_taken_as_it_is(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_epochs=1)
    timer = IterTimerHook()
    runner.register_training_hooks(None, timer_config=timer)

    assert runner.hooks == [timer]


def test_by_iterations_lr_checkpoints_and_logs_default_to_iterations(
    make_runner: Callable[..., BaseRunner],
) -> None:
    runner = make_runner(max_iters=4)
    log = {"interval": 2, "hooks": [{"type": "TextLoggerHook"}, {"type": "TensorboardLoggerHook"}]}
    runner.register_training_hooks({"policy": "fixed"}, {}, {"interval": 2}, log)

    by_epoch = [h.by_epoch for h in runner.hooks if hasattr(h, "by_epoch")]
    assert by_epoch == [False, False, False, False]
    assert log["hooks"] == [{"type": "TextLoggerHook"}, {"type": "TensorboardLoggerHook"}]


def test_rates_and_momenta_are_read_from_every_group_and_optimizer(
    toy_model: Callable[..., nn.Module],
) -> None:
    model = toy_model()
    first, second = model.linear.parameters(), model.norm.parameters()
    sgd = torch.optim.SGD([{"params": first}, {"params": second, "lr": 0.5}], lr=0.1, momentum=0.8)
    adam = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.99))
    plain = torch.optim.RMSprop(model.parameters(), lr=0.02)
    del plain.param_groups[0]["momentum"]

    one = EpochBasedRunner(model, optimizer=sgd, max_epochs=1)
    assert one.current_lr() == [0.1, 0.5]
    assert one.current_momentum() == [0.8, 0.8]
    several = EpochBasedRunner(model, optimizer={"a": adam, "b": plain}, max_epochs=1)
    assert several.current_lr() == {"a": [0.01], "b": [0.02]}
    assert several.current_momentum() == {"a": [0.7], "b": [0]}
    with pytest.raises(RuntimeError, match="without an optimizer"):
        EpochBasedRunner(model, max_epochs=1).current_lr()


def test_the_models_name_is_that_inside_its_wrapper(toy_model: Callable[..., nn.Module]) -> None:
    runner = EpochBasedRunner(MMDataParallel(toy_model(), device_ids=[-1]), max_epochs=1)

    assert runner.model_name == "ToyModel"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_epochs": 1, "max_iters": 1}, ConfigError, "both set"),
        ({"optimizer": "SGD"}, TypeError, "optimizer"),
        ({"optimizer": {"a": "SGD"}}, TypeError, "optimizer"),
        ({"logger": "root"}, TypeError, "logger"),
        ({"meta": ["seed"]}, TypeError, "meta"),
        ({"work_dir": 3}, TypeError, "work_dir"),
        ({"batch_processor": 1}, TypeError, "batch_processor"),
        ({"model": nn.Linear(1, 1)}, AttributeError, "train_step"),
    ],
)
def test_wrong_arguments_are_refused(
    toy_model: Callable[..., nn.Module],
    arguments: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        EpochBasedRunner(**{"model": toy_model(), **arguments})


def test_priorities_are_numbers_names_or_members() -> None:
    assert [get_priority(p) for p in (0, "low", "VERY_HIGH", Priority.ABOVE_NORMAL)] == [
        0,
        70,
        10,
        40,
    ]
    for wrong in (-1, 101, "middling"):
        with pytest.raises(ValueError, match=r"priority|named"):
            get_priority(wrong)
    with pytest.raises(TypeError):
        get_priority(1.5)  # type: ignore[arg-type]
