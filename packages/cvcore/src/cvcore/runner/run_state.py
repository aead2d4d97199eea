"""What a checkpoint says about a run beside its weights, and how a run is restored from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from cvcore.dist import get_dist_info
from cvcore.errors import CheckpointError, CvcoreError
from cvcore.runner.position import LoaderPosition
from cvcore.runner.random_state import get_random_state

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

# Belong to the moment of saving, so they are not carried on into the meta of the resumed run.
_OF_THE_MOMENT = ("epoch", "iter", "inner_iter", "loaders", "random_states", "world_size", "time")


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """What the loop still has to take up when it starts."""

    random_state: dict[str, Any] | None
    loaders: tuple[LoaderPosition, ...]  # of a run by epochs: one, if it stands inside an epoch
    epochs: tuple[int, ...]  # passes over each of them; of a run by iterations only


def progress_meta(runner: BaseRunner) -> dict[str, Any]:
    """Counters that every kind of run records.

    ``epoch`` and ``iter`` count what is finished. Inside the moments after an iteration or an
    epoch the runner's own counters do not include it yet.
    """
    iterations = runner.iter + (runner.moment == "after_train_iter")
    return {
        "epoch": runner.epoch + (runner.moment == "after_train_epoch"),
        "iter": iterations,
        "world_size": runner.world_size,
        "random_states": [get_random_state()],
    }


def restore_run(
    runner: BaseRunner, checkpoint: Mapping[str, Any], resume_optimizer: bool
) -> ResumePoint:
    """Set counters, meta and optimizers of ``runner`` to what ``checkpoint`` holds.

    Raises:
        CheckpointError: The checkpoint holds weights only, or its optimizer does not fit.
    """
    meta = checkpoint.get("meta") or {}
    if "epoch" not in meta or "iter" not in meta:
        raise CheckpointError(
            "the checkpoint does not say at which epoch and iteration its run stood, so it cannot "
            "be resumed from; to start a new run from its weights use load_from"
        )
    runner._epoch = int(meta["epoch"])
    runner._iter = int(meta["iter"])
    runner._inner_iter = int(meta.get("inner_iter", 0))
    own = runner.meta or {}
    carried = {key: value for key, value in meta.items() if key not in _OF_THE_MOMENT}
    messages = {**own.get("hook_msgs", {}), **meta.get("hook_msgs", {})}
    runner.meta = {**carried, **own, "hook_msgs": messages}
    if "fp16" in meta:
        runner.meta["fp16"] = meta["fp16"]
    if resume_optimizer and checkpoint.get("optimizer") is not None:
        _restore_optimizers(runner, checkpoint["optimizer"])
    point = _resume_point(runner, meta)
    runner.logger.info(
        "resumed at epoch %d, iteration %d, from a checkpoint of %s",
        runner.epoch,
        runner.iter,
        meta.get("time", "an unknown time"),
    )
    return point


def _resume_point(runner: BaseRunner, meta: Mapping[str, Any]) -> ResumePoint:
    rank, world_size = get_dist_info()
    previous = _previous_world_size(meta)
    if previous is not None and previous != world_size:
        scaled = runner.iter * previous // world_size
        runner.logger.warning(
            "the checkpoint is of a run on %d processes, this one has %d: iteration %d becomes %d, "
            "and the place inside an epoch and the random state are not taken up",
            previous,
            world_size,
            runner.iter,
            scaled,
        )
        runner._iter = scaled
        runner._inner_iter = 0
        return ResumePoint(None, (), ())
    states = meta.get("random_states") or []
    random_state = states[rank] if rank < len(states) else None
    loaders = meta.get("loaders") or []
    # A shuffling sampler that draws from global state draws alike on every rank only if their
    # states are alike, so the position of rank 0 serves the others.
    positions = tuple(LoaderPosition(each["batches"], each["random_state"]) for each in loaders)
    return ResumePoint(random_state, positions, tuple(each.get("epoch", 0) for each in loaders))


def _previous_world_size(meta: Mapping[str, Any]) -> int | None:
    if "world_size" in meta:
        return int(meta["world_size"])
    text = meta.get("config")
    if not isinstance(text, str):
        return None
    from cvcore.config import Config

    try:
        gpu_ids = Config.fromstring(text, ".py").get("gpu_ids")
    except CvcoreError:  # a text that cannot be read says nothing about processes
        return None
    return len(gpu_ids) if gpu_ids else None


def _restore_optimizers(runner: BaseRunner, states: Mapping[str, Any]) -> None:
    optimizer = runner.optimizer
    try:
        if isinstance(optimizer, Optimizer):
            optimizer.load_state_dict(states)
        elif isinstance(optimizer, dict):
            for name, each in optimizer.items():
                each.load_state_dict(states[name])
        else:
            raise CheckpointError(
                "the run has no optimizer to resume; build one, or call "
                "resume(..., resume_optimizer=False)"
            )
    except (ValueError, KeyError) as error:
        raise CheckpointError(
            f"the optimizer of the checkpoint does not fit this run's ({error}): resume with the "
            "optimizer, paramwise_cfg and model that wrote it, or use load_from to take the "
            "weights only"
        ) from error
