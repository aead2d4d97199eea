from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from cvcore.errors import CheckpointError
from cvcore.runner import BaseRunner, Hook, load_checkpoint

LR = {"policy": "CosineAnnealing", "min_lr": 0, "by_epoch": False, "warmup": "linear"}
MOMENTUM = {"policy": "cyclic"}


class Curves(Hook):
    """Writes down what the optimizer was set to in every iteration, and the loss."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []

    def after_train_iter(self, runner: Any) -> None:
        values = (runner.current_lr()[0], runner.current_momentum()[0])
        self.rows.append((runner.iter, *values, runner.outputs["log_vars"]["loss"]))


@pytest.fixture
def start(
    make_runner: Callable[..., BaseRunner], toy_model: Callable[..., Any], tmp_path: Path
) -> Callable[..., tuple[BaseRunner, Curves]]:
    """Make a run with dropout, warm-up over 12 of 20 iterations, a momentum schedule and EMA."""

    def make(name: str, seed: int, **arguments: Any) -> tuple[BaseRunner, Curves]:
        checkpoint = arguments.pop("checkpoint", {"interval": 1})
        model = toy_model(dropout=0.3)
        runner = make_runner(model=model, work_dir=str(tmp_path / name), **arguments)
        runner.register_training_hooks(
            {**LR, "warmup_iters": 12, "warmup_ratio": 0.1},
            {"grad_clip": {"max_norm": 1.0}},
            checkpoint,
            momentum_config=MOMENTUM,
            custom_hooks_config=[{"type": "EMAHook", "momentum": 0.1, "priority": 49}],
        )
        curves = Curves()
        runner.register_hook(curves)
        torch.manual_seed(seed)
        return runner, curves

    return make


def shuffled(workers: int = 0) -> DataLoader:
    source = torch.Generator().manual_seed(1)
    data = torch.randn(20, 2, generator=source)
    return DataLoader(data, batch_size=4, shuffle=True, num_workers=workers)


def final_state(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def assert_same(one: Any, other: Any, place: str = "") -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), place
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{place}[{index}]")
    else:
        assert one == other, place


def assert_same_run(whole: Path, parts: Path) -> None:
    one, other = final_state(whole), final_state(parts)
    assert_same(one["state_dict"], other["state_dict"])
    assert_same(one["optimizer"], other["optimizer"])
    for key in ("epoch", "iter", "random_states"):
        assert_same(one["meta"][key], other["meta"][key], key)


def test_four_epochs_equal_two_and_two_resumed_to_the_bit(
    start: Callable[..., tuple[BaseRunner, Curves]], tmp_path: Path
) -> None:
    whole, whole_curves = start("whole", seed=7, max_epochs=4)
    whole.run([shuffled()], [("train", 1)])

    first, first_curves = start("first", seed=7, max_epochs=4)
    loader = shuffled()
    first.register_hook(StopAfter(epochs=2))
    with pytest.raises(StopIteration):
        first.run([loader], [("train", 1)])
    second, second_curves = start("second", seed=123, max_epochs=4)
    second.resume(tmp_path / "first" / "epoch_2.pth")
    assert (second.epoch, second.iter) == (2, 10)
    second.run([shuffled()], [("train", 1)])

    assert first_curves.rows[:10] + second_curves.rows == whole_curves.rows
    assert_same_run(tmp_path / "whole" / "epoch_4.pth", tmp_path / "second" / "epoch_4.pth")


class StopAfter(Hook):
    """Ends a run from inside, as a kill would."""

    def __init__(self, epochs: int = 10**9, iterations: int = 10**9) -> None:
        self.epochs = epochs
        self.iterations = iterations

    def before_train_epoch(self, runner: Any) -> None:
        if runner.epoch == self.epochs:
            raise StopIteration

    def before_train_iter(self, runner: Any) -> None:
        if runner.iter == self.iterations:
            raise StopIteration


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [3, 5, 7])
def test_a_run_stopped_inside_an_epoch_goes_on_with_the_next_sample(
    start: Callable[..., tuple[BaseRunner, Curves]], tmp_path: Path, stop: int, workers: int
) -> None:
    every_iteration = {"interval": 1, "by_epoch": False}
    whole, whole_curves = start("whole", seed=7, max_epochs=2, checkpoint=every_iteration)
    whole.run([shuffled()], [("train", 1)])

    first, _ = start("first", seed=7, max_epochs=2, checkpoint=every_iteration)
    first.register_hook(StopAfter(iterations=stop))
    with pytest.raises(StopIteration):
        first.run([shuffled()], [("train", 1)])
    second, second_curves = start("second", seed=5, max_epochs=2, checkpoint=every_iteration)
    second.resume(tmp_path / "first" / f"iter_{stop}.pth")
    second.run([shuffled(workers)], [("train", 1)])

    assert second_curves.rows == whole_curves.rows[stop:]
    assert_same_run(tmp_path / "whole" / "iter_10.pth", tmp_path / "second" / "iter_10.pth")


@pytest.mark.parametrize("stop", [3, 5, 8])
def test_a_run_by_iterations_resumes_inside_a_pass_over_the_data(
    start: Callable[..., tuple[BaseRunner, Curves]], tmp_path: Path, stop: int
) -> None:
    checkpoint = {"interval": 1}
    whole, whole_curves = start("whole", seed=7, max_iters=20, checkpoint=checkpoint)
    whole.run([shuffled()], [("train", 1)])

    first, _ = start("first", seed=7, max_iters=20, checkpoint=checkpoint)
    first.register_hook(StopAfter(iterations=stop))
    with pytest.raises(StopIteration):
        first.run([shuffled()], [("train", 1)])
    second, second_curves = start("second", seed=5, max_iters=20, checkpoint=checkpoint)
    second.resume(tmp_path / "first" / f"iter_{stop}.pth")
    assert second.iter == stop
    second.run([shuffled()], [("train", 1)])

    assert second_curves.rows == whole_curves.rows[stop:]
    assert_same_run(tmp_path / "whole" / "iter_20.pth", tmp_path / "second" / "iter_20.pth")


def test_averages_and_raw_weights_both_survive_a_resume(
    start: Callable[..., tuple[BaseRunner, Curves]], tmp_path: Path
) -> None:
    runner, _ = start("first", seed=7, max_epochs=1)
    runner.run([shuffled()], [("train", 1)])
    saved = final_state(tmp_path / "first" / "epoch_1.pth")["state_dict"]

    resumed, _ = start("second", seed=7, max_epochs=1)
    resumed.resume(tmp_path / "first" / "epoch_1.pth")
    resumed.run([shuffled()], [("train", 1)])  # nothing left to do but before_run

    for name in ("linear.weight", "linear.bias"):
        state = resumed.model.state_dict()
        average = f"ema_{name.replace('.', '_')}"
        assert not torch.equal(saved[name], saved[average])
        assert torch.equal(state[name], saved[name])
        assert torch.equal(state[average], saved[average])


def test_messages_of_hooks_come_back_and_the_runs_own_meta_stays(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    first = make_runner(max_epochs=1, meta={"seed": 3, "hook_msgs": {"best_score": 0.5}})
    first.save_checkpoint(tmp_path)

    second = make_runner(max_epochs=1, meta={"seed": 4})
    second.resume(tmp_path / "latest.pth")

    assert second.meta is not None
    assert second.meta["seed"] == 4
    assert second.meta["hook_msgs"] == {"best_score": 0.5}


def test_a_file_of_weights_only_cannot_be_resumed_from(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    runner = make_runner(max_epochs=1)
    torch.save({"state_dict": runner.model.state_dict()}, tmp_path / "weights.pth")

    with pytest.raises(CheckpointError, match="load_from"):
        runner.resume(tmp_path / "weights.pth")
    load_checkpoint(runner.model, tmp_path / "weights.pth", strict=True)


def test_an_optimizer_of_another_kind_is_named_as_the_reason(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    first = make_runner(max_epochs=1)
    first.save_checkpoint(tmp_path)
    second = make_runner(max_epochs=1)
    weights = list(second.model.parameters())
    second.optimizer = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=0.1)

    with pytest.raises(CheckpointError, match="different number of parameter groups"):
        second.resume(tmp_path / "epoch_1.pth")
    second.resume(tmp_path / "epoch_1.pth", resume_optimizer=False)


@pytest.mark.parametrize(
    "meta", [{"world_size": 4}, {"config": "gpu_ids = range(0, 4)"}], ids=["own", "reference"]
)
def test_another_number_of_processes_rescales_the_iteration_and_says_so(
    make_runner: Callable[..., BaseRunner],
    tmp_path: Path,
    meta: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = make_runner(max_epochs=3)
    content = {"meta": {"epoch": 1, "iter": 5, **meta}, "state_dict": runner.model.state_dict()}
    torch.save(content, tmp_path / "four.pth")

    runner.resume(tmp_path / "four.pth", resume_optimizer=False)

    assert (runner.epoch, runner.iter) == (1, 20)  # a quarter of the batch: four times the steps
    assert "a run on 4 processes, this one has 1: iteration 5 becomes 20" in caplog.text


def test_a_resumed_workflow_goes_on_where_it_stood(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    runner = make_runner(max_epochs=4)
    runner._epoch = 2
    turns: list[str] = []

    class Turns(Hook):
        def before_train_epoch(self, runner: Any) -> None:
            turns.append("train")

        def before_val_epoch(self, runner: Any) -> None:
            turns.append("val")

    runner.register_hook(Turns())
    runner.run([batches, batches], [("train", 3), ("val", 1)])

    # The third epoch of the first turn, its validation, and the fourth, then validation again.
    assert turns == ["train", "val", "train", "val"]


def test_tensor_datasets_resume_without_reading_what_was_seen() -> None:
    from cvcore.runner.position import LoaderPosition, continue_pass

    read: list[int] = []

    class Counting(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            read.append(index)
            return super().__getitem__(index)[0]

    loader = DataLoader(Counting(torch.arange(12)), batch_size=3)
    rest = list(continue_pass(loader, LoaderPosition(2, None)))

    assert [batch.tolist() for batch in rest] == [[6, 7, 8], [9, 10, 11]]
    assert read == [6, 7, 8, 9, 10, 11]


def test_C13_a_run_does_not_resume_from_the_weights_of_another_model(  # noqa: N802
    start: Callable[..., tuple[BaseRunner, Curves]], tmp_path: Path
) -> None:
    first, _ = start("run", seed=1, max_epochs=1)
    first.run([shuffled()], [("train", 1)])
    path = tmp_path / "run" / "epoch_1.pth"
    content = torch.load(path, weights_only=True)
    names = [name for name in content["state_dict"] if not name.startswith("ema_")]
    removed, kept = names[0], names[1]
    del content["state_dict"][removed]
    content["state_dict"]["further.weight"] = torch.zeros(1)
    torch.save(content, tmp_path / "other.pth")

    second, _ = start("again", seed=1, max_epochs=2)
    before = {name: value.clone() for name, value in second.model.state_dict().items()}
    with pytest.raises(CheckpointError, match="another model") as caught:
        second.resume(str(tmp_path / "other.pth"))
    text = str(caught.value)
    assert re.search(rf"not in the file +{re.escape(removed)}\n", text)
    assert re.search(r"not in the model +further\.weight\n", text)
    assert kept not in text
    assert "load_from" in text
    assert second.epoch == 0
    assert before.keys() == second.model.state_dict().keys()
