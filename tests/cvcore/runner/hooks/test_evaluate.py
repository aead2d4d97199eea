from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cvcore.errors import CvcoreError
from cvcore.runner import BaseRunner, DistEvalHook, EvalHook
from cvcore.runner.hooks.evaluate import EvalListener


class Scored(Dataset):
    """Two samples; every evaluation gives the next of some scores."""

    def __init__(self, scores: list[dict[str, float]]) -> None:
        self.scores = list(scores)
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.full((2,), float(index))}

    def evaluate(self, results: Any, logger: Any = None, **options: Any) -> dict[str, float]:
        self.asked.append((results, options))
        return self.scores.pop(0)


@pytest.fixture
def run(
    make_runner: Callable[..., BaseRunner], toy_model: Callable[..., nn.Module]
) -> Callable[..., tuple[BaseRunner, Scored]]:
    """Run with an evaluation hook whose evaluations give the scores in turn."""

    def go(
        scores: list[dict[str, float]],
        length: dict[str, int],
        start_at: tuple[int, int] = (0, 0),
        kind: type[EvalHook] = EvalHook,
        listeners: Sequence[EvalListener] = (),
        **arguments: Any,
    ) -> tuple[BaseRunner, Scored]:
        dataset = Scored(scores)
        model = toy_model()
        model.forward = lambda x, return_loss=True: (  # type: ignore[method-assign]
            model.norm(model.linear(x)) if return_loss else [float(v) for v in x[:, 0]]
        )
        model.train_step = lambda batch, optimizer: {  # type: ignore[method-assign]
            "loss": model.linear(batch).sum() * 0,
            "log_vars": {"loss": 0.0},
            "num_samples": 1,
        }
        runner = make_runner(model=model, **length)
        runner._epoch, runner._iter = start_at
        runner.register_training_hooks({"policy": "fixed"}, {})
        hook = kind(DataLoader(dataset), **arguments)
        hook.listeners += listeners
        runner.register_hook(hook, "LOW")
        runner.run([[torch.ones(2, 2)] * 4], [("train", 1)])
        return runner, dataset

    return go


def many(count: int) -> list[dict[str, float]]:
    return [{"mAP": float(number)} for number in range(count)]


@pytest.mark.parametrize(
    ("arguments", "start_at", "expected"),
    [
        ({}, (0, 0), 6),  # epochs 1 2 3 4 5 6
        ({"interval": 2}, (0, 0), 3),  # 2 4 6
        ({"interval": 2, "start": 3}, (0, 0), 2),  # 3 5
        ({"start": 5}, (0, 0), 2),  # 5 6
        ({"start": 0}, (0, 0), 6),  # an evaluation first only where epoch + 1 fits: 1 twice...
        ({"interval": 2, "start": 2}, (3, 12), 3),  # at once after 3 finished epochs, then 4 6
        ({"interval": 7}, (0, 0), 0),
        ({"interval": 5, "by_epoch": False}, (0, 0), 4),  # iterations 5 10 15 20 of 24
        ({"interval": 10, "start": 4, "by_epoch": False}, (0, 0), 3),  # 4 14 24
    ],
)
def test_when_it_is_time(
    run: Callable[..., tuple[BaseRunner, Scored]],
    arguments: dict[str, Any],
    start_at: tuple[int, int],
    expected: int,
) -> None:
    if arguments.get("start") == 0:
        expected += 1  # before any training
    _, dataset = run(many(20), {"max_epochs": 6}, start_at, **arguments)

    assert len(dataset.asked) == expected


def test_results_and_options_reach_the_dataset_and_scores_the_log(
    run: Callable[..., tuple[BaseRunner, Scored]],
) -> None:
    runner, dataset = run(many(1), {"max_epochs": 1}, metric=["bbox"], iou_thr=0.5)

    assert dataset.asked == [([0.0, 1.0], {"metric": ["bbox"], "iou_thr": 0.5})]
    assert runner.log_buffer.output == {"eval_iter_num": 2, "mAP": 0.0}
    assert runner.log_buffer.ready
    assert runner.model.training


def test_listeners_hear_of_every_evaluation(
    run: Callable[..., tuple[BaseRunner, Scored]],
) -> None:
    heard: list[tuple[int, Any, dict[str, float]]] = []
    run(
        many(2),
        {"max_epochs": 2},
        listeners=[lambda runner, results, scores: heard.append((runner.epoch, results, scores))],
    )

    assert heard == [(0, [0.0, 1.0], {"mAP": 0.0}), (1, [0.0, 1.0], {"mAP": 1.0})]


@pytest.mark.parametrize(
    ("key", "rule", "values", "best"),
    [
        ("mAP", None, [0.1, 0.3, 0.2], 2),
        ("bbox_mAP_50", None, [0.1, 0.3, 0.2], 2),
        ("AR@100", None, [0.3, 0.1, 0.2], 1),
        ("val_loss", None, [0.3, 0.1, 0.2], 2),
        ("score", "less", [0.3, 0.2, 0.1], 3),
        ("auto", None, [0.0, 0.0, 0.0], 1),
        ("mAP", None, [float("nan"), 0.0, float("nan")], 2),
    ],
)
def test_the_best_checkpoint_stays_and_the_best_before_goes(
    run: Callable[..., tuple[BaseRunner, Scored]],
    tmp_path: Path,
    key: str,
    rule: str | None,
    values: list[float],
    best: int,
) -> None:
    name = "mAP" if key == "auto" else key
    scores = [{name: value, "other": 0.0} for value in values]
    runner, _ = run(scores, {"max_epochs": 3}, save_best=key, rule=rule)

    kept = f"best_{name}_epoch_{best}.pth"
    assert [path.name for path in (tmp_path / "run").iterdir()] == [kept]
    assert runner.meta is not None
    assert runner.meta["hook_msgs"]["best_score"] == values[best - 1]
    assert runner.meta["hook_msgs"]["best_ckpt"] == str(tmp_path / "run" / kept)
    saved = torch.load(tmp_path / "run" / kept, weights_only=True)["meta"]
    assert (saved["epoch"], saved["hook_msgs"]["best_score"]) == (best, values[best - 1])


def test_iterations_name_the_best_checkpoint_by_iteration(
    run: Callable[..., tuple[BaseRunner, Scored]], tmp_path: Path
) -> None:
    run(many(2), {"max_iters": 4}, save_best="segm/mAP"[5:], by_epoch=False, interval=2)

    assert [path.name for path in (tmp_path / "run").iterdir()] == ["best_mAP_iter_4.pth"]


def test_a_resumed_run_knows_a_best_score_found_after_its_checkpoint_was_written(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    """Epoch 2's checkpoint is written before its evaluation, which finds a new best."""
    before = make_runner(max_epochs=3, meta={"hook_msgs": {"best_score": 0.2, "best_ckpt": "old"}})
    before._epoch, before._iter = 1, 10
    before.moment = "after_train_epoch"
    before.save_checkpoint(tmp_path / "run")
    before.meta = {"hook_msgs": {"best_score": 0.7, "best_ckpt": "new"}}
    before.save_checkpoint(tmp_path / "run", "best_mAP_epoch_2.pth", create_symlink=False)

    runner = make_runner(max_epochs=3)
    hook = EvalHook(DataLoader(Scored([])), save_best="mAP")
    runner.register_hook(hook)
    runner.resume(tmp_path / "run" / "epoch_2.pth")
    runner.call_hook("before_run")

    assert runner.meta is not None
    assert runner.meta["hook_msgs"]["best_score"] == 0.7
    assert hook.best_ckpt_path == "new"


def test_evaluating_draws_nothing_from_the_trainings_randomness(
    run: Callable[..., tuple[BaseRunner, Scored]],
) -> None:
    drawn = []
    for interval in (1, 99):
        run(many(3), {"max_epochs": 3}, interval=interval)
        drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1]


def test_wrong_arguments_are_refused() -> None:
    loader = DataLoader(Scored([]))
    for arguments, error, message in (
        ({"dataloader": [1]}, TypeError, "DataLoader"),
        ({"interval": 0}, ValueError, "interval"),
        ({"start": -1}, ValueError, "start"),
        ({"save_best": True}, TypeError, "save_best"),
        ({"save_best": "mAP", "rule": "more"}, KeyError, "more"),
        ({"save_best": "beauty"}, ValueError, "set rule"),
    ):
        with pytest.raises(error, match=message):
            EvalHook(**{"dataloader": loader, **arguments})


def test_a_score_that_the_evaluation_does_not_give_is_named(
    run: Callable[..., tuple[BaseRunner, Scored]],
) -> None:
    with pytest.raises(CvcoreError, match=r"no score 'bbox_mAP'.*returned segm_mAP"):
        run([{"segm_mAP": 1.0}], {"max_epochs": 1}, save_best="bbox_mAP")


def test_keys_of_ones_own_decide_the_rule() -> None:
    hook = EvalHook(DataLoader(Scored([])), save_best="beauty", greater_keys="beauty")
    other = EvalHook(DataLoader(Scored([])), save_best="error_rate", less_keys=["error"])

    assert (hook.rule, other.rule) == ("greater", "less")


def test_on_one_process_the_distributed_hook_does_the_same(
    run: Callable[..., tuple[BaseRunner, Scored]], tmp_path: Path
) -> None:
    _, dataset = run(many(2), {"max_epochs": 2}, kind=DistEvalHook, save_best="mAP")

    assert [results for results, _ in dataset.asked] == [[0.0, 1.0], [0.0, 1.0]]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["best_mAP_epoch_2.pth"]


ON_EACH_RANK = """
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler
from cvcore.runner import DistEvalHook, EpochBasedRunner

class Numbers(Dataset):
    def __len__(self):
        return 5
    def __getitem__(self, index):
        return dict(x=torch.tensor(index))
    def evaluate(self, results, logger=None):
        assert rank == 0
        if results != [0, 10, 20, 30, 40]:
            raise AssertionError(results)
        raise ValueError('no ground truth')

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.norm.running_mean += rank
    def forward(self, x, return_loss):
        return [10 * int(value) for value in x]
    def train_step(self, batch, optimizer):
        return dict(loss=self.norm.weight.sum(), log_vars={}, num_samples=1)

data = Numbers()
loader = DataLoader(data, sampler=DistributedSampler(data, shuffle=False), batch_size=2)
runner = EpochBasedRunner(Net(), work_dir=None, max_epochs=1)
runner.work_dir = '.'
runner.register_hook(DistEvalHook(loader))
try:
    runner.run([[1]], [('train', 1)])
except Exception as error:
    print(type(error).__name__, error)
assert runner.model.norm.running_mean.item() == 0
"""


@pytest.mark.slow
def test_a_failed_evaluation_stops_every_rank(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    first, second = run_on_two_ranks(ON_EACH_RANK)

    assert first.splitlines()[-1] == "ValueError no ground truth"
    assert second.splitlines()[-1] == (
        "CvcoreError the evaluation failed on rank 0: ValueError: no ground truth"
    )
