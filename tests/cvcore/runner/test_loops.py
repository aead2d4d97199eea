from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import (
    RUNNERS,
    BaseRunner,
    EpochBasedRunner,
    Hook,
    IterBasedRunner,
    IterLoader,
    Runner,
    build_runner,
    obj_from_dict,
)
from cvcore.runner.build import DefaultRunnerConstructor
from cvcore.runner.registry import RUNNER_BUILDERS


class Steps(nn.Module):
    """Writes down which step it is asked for, in which mode, on which batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls: list[tuple[str, bool, bool, Any]] = []

    def _step(self, name: str, batch: Any) -> dict[str, Any]:
        self.calls.append((name, self.training, torch.is_grad_enabled(), batch))
        return {"loss": self.weight.sum(), "log_vars": {"loss": float(batch)}, "num_samples": 2}

    def train_step(self, batch: Any, optimizer: Any, **kwargs: Any) -> dict[str, Any]:
        return self._step("train", batch)

    def val_step(self, batch: Any, optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        return self._step("val", batch)


def test_three_epochs_of_training_then_one_of_validation() -> None:
    model = Steps()
    runner = EpochBasedRunner(model, max_epochs=4)

    runner.run([[1, 2], [9]], [("train", 3), ("val", 1)])

    train = [("train", True, True, 1), ("train", True, True, 2)]
    val = [("val", False, False, 9)]
    assert model.calls == [*train * 3, *val, *train, *val]
    assert (runner.epoch, runner.iter, runner.max_iters) == (4, 8, 8)


def test_iterations_of_training_and_validation_take_turns() -> None:
    model = Steps()
    runner = IterBasedRunner(model, max_iters=5)

    runner.run([[1, 2, 3], [9]], [("train", 2), ("val", 1)])

    assert [(name, batch) for name, _, _, batch in model.calls] == [
        ("train", 1),
        ("train", 2),
        ("val", 9),
        ("train", 3),
        ("train", 1),
        ("val", 9),
        ("train", 2),
        ("val", 9),
    ]
    assert (runner.epoch, runner.iter) == (1, 5)


def test_a_batch_processor_stands_in_for_the_models_steps() -> None:
    seen: list[Any] = []

    def process(model: nn.Module, batch: Any, train_mode: bool) -> dict[str, Any]:
        seen.append((batch, train_mode))
        return {"num_samples": 1}

    runner = EpochBasedRunner(nn.Linear(1, 1), batch_processor=process, max_epochs=1)
    runner.run([[1], [2]], [("train", 1), ("val", 1)])

    assert seen == [(1, True), (2, False)]


def test_hooks_see_the_batch_the_outputs_and_the_log() -> None:
    seen: list[Any] = []

    class Look(Hook):
        def before_train_iter(self, runner: Any) -> None:
            seen.append(runner.data_batch)

        def after_train_iter(self, runner: Any) -> None:
            seen.append(runner.outputs["log_vars"])

    runner = EpochBasedRunner(Steps(), max_epochs=1)
    runner.register_hook(Look())
    runner.run([[3, 4]], [("train", 1)])

    assert seen == [3, {"loss": 3.0}, 4, {"loss": 4.0}]
    assert runner.data_batch is None
    assert runner.log_buffer.val_history == {"loss": [3.0, 4.0]}
    assert runner.log_buffer.n_history == {"loss": [2, 2]}


def test_validation_leaves_the_random_state_of_training_alone(batches: list[Tensor]) -> None:
    class Drawing(Steps):
        def val_step(self, batch: Any, optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
            torch.rand(10)
            return super().val_step(batch)

    drawn = []
    for workflow, loaders in (
        ([("train", 1)], [[1]]),
        ([("train", 1), ("val", 1)], [[1], [2]]),
    ):
        torch.manual_seed(4)
        EpochBasedRunner(Drawing(), max_epochs=2).run(loaders, workflow)
        drawn.append(float(torch.rand(1)))

    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("loaders", "workflow", "error", "message"),
    [
        ([[1]], [("train", 1), ("val", 1)], ValueError, "2 entries, but there are 1"),
        ([[1]], [("learn", 1)], ValueError, "no method 'learn'"),
        ([[1]], [("val", 1)], ValueError, "never end"),
        ([[1]], [("train", 0)], ValueError, "0 times"),
        ([[1]], [(max, 1)], TypeError, "is a text"),
        ("ab", [("train", 1)], TypeError, "is a list"),
    ],
)
@pytest.mark.parametrize("kind", [EpochBasedRunner, IterBasedRunner])
def test_a_workflow_that_cannot_run_is_refused_at_once(
    kind: type[BaseRunner], loaders: Any, workflow: Any, error: type[Exception], message: str
) -> None:
    length = {"max_epochs": 1} if kind is EpochBasedRunner else {"max_iters": 1}
    model = Steps()
    with pytest.raises(error, match=message):
        kind(model, **length).run(loaders, workflow)
    assert model.calls == []


def test_a_run_needs_its_length() -> None:
    with pytest.raises(ValueError, match="max_epochs"):
        EpochBasedRunner(Steps()).run([[1]], [("train", 1)])
    with pytest.raises(ValueError, match="max_iters"):
        IterBasedRunner(Steps()).run([[1]], [("train", 1)])
    runner = EpochBasedRunner(Steps())
    runner.run([[1]], [("train", 1)], max_epochs=2)
    assert runner.epoch == 2


def test_a_step_that_returns_no_dict_is_named() -> None:
    class Bad(Steps):
        def train_step(self, batch: Any, optimizer: Any, **kwargs: Any) -> Any:
            return self.weight

    with pytest.raises(TypeError, match="log_vars and num_samples, not Parameter"):
        EpochBasedRunner(Bad(), max_epochs=1).run([[1]], [("train", 1)])


def test_an_endless_loader_tells_its_sampler_every_pass() -> None:
    told: list[int] = []

    class Sampler:
        def set_epoch(self, epoch: int) -> None:
            told.append(epoch)

    class Loader(list):  # type: ignore[type-arg]
        sampler = Sampler()

    loader = IterLoader(Loader([1, 2]))
    taken = [next(loader) for _ in range(5)]

    assert taken == [1, 2, 1, 2, 1]
    assert told == [1, 2]
    assert (loader.epoch, len(loader)) == (2, 2)


def test_runners_are_built_from_configs() -> None:
    runner = build_runner({"type": "EpochBasedRunner", "max_epochs": 3}, {"model": Steps()})
    assert (type(runner), runner.max_epochs) == (EpochBasedRunner, 3)
    assert issubclass(Runner, EpochBasedRunner)
    assert RUNNERS.get("Runner") is Runner

    @RUNNER_BUILDERS.register_module(name="TestOnlyConstructor")
    class Doubling(DefaultRunnerConstructor):
        def __call__(self) -> Any:
            runner = super().__call__()
            runner._max_epochs *= 2
            return runner

    try:
        config = {"type": "Runner", "max_epochs": 3, "constructor": "TestOnlyConstructor"}
        assert build_runner(config, {"model": Steps()}).max_epochs == 6
    finally:
        RUNNER_BUILDERS.module_dict.pop("TestOnlyConstructor")


def test_objects_are_made_from_a_class_or_its_name() -> None:
    made = obj_from_dict({"type": "Linear", "in_features": 2}, nn, {"out_features": 3})
    assert made.weight.shape == (3, 2)
    assert obj_from_dict({"type": nn.Flatten}).start_dim == 1
    assert isinstance(obj_from_dict({"type": "torch.nn.ReLU"}), nn.ReLU)
