"""What a checkpoint says about a run beside its weights, and how a run is restored from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from cvcore.dist import all_gather_object, get_dist_info
from cvcore.errors import CheckpointError, CvcoreError
from cvcore.parallel import MMFullyShardedDataParallel
from cvcore.runner.position import LoaderPosition, batch_size_of
from cvcore.runner.random_state import get_random_state
from cvcore.runner.training_state import load_training_states, training_states

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

# Belong to the moment of saving, so they are not carried on into the meta of the resumed run.
_OF_THE_MOMENT = (
    "batch_size",
    "epoch",
    "iter",
    "inner_iter",
    "loaders",
    "log_history",
    "optimizer_class",
    "random_states",
    "time",
    "training_states",
    "turn",
    "world_size",
)
# Lists with an entry for each rank, in the order of ranks.
OF_EACH_RANK = ("random_states", "training_states")


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """What the loop still has to take up when it starts."""

    random_state: dict[str, Any] | None
    loaders: tuple[LoaderPosition, ...]  # of a run by epochs: one, if it stands inside an epoch
    epochs: tuple[int, ...]  # passes over each of them; of a run by iterations only
    turn: int | None = None  # finished turns of the workflow's present round, if it says so
    log_history: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | None = None  # samples in a batch of one rank


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
        "batch_size": runner.batch_size,
        "optimizer_class": _class_names(runner.optimizer),
        "random_states": [get_random_state()],
        "training_states": [training_states(runner.model)],
    }


def gather_rank_states(runner: BaseRunner) -> dict[str, list[Any]]:
    """What each rank keeps of its own, for the meta of a checkpoint; every rank calls this."""
    mine = (runner.random_state_to_save(), training_states(runner.model))
    of_ranks = zip(*all_gather_object(mine), strict=True)
    return {key: list(states) for key, states in zip(OF_EACH_RANK, of_ranks, strict=True)}


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
        _check_optimizer_class(meta.get("optimizer_class"), _class_names(runner.optimizer))
        _restore_optimizers(runner, checkpoint["optimizer"])
    point = _resume_point(runner, meta)
    states = meta.get("training_states") or []
    load_training_states(runner.model, states, runner.rank, runner.logger)
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
    epochs = tuple(each.get("epoch", 0) for each in loaders)
    history = meta.get("log_history") or {}
    size = meta.get("batch_size")
    return ResumePoint(random_state, positions, epochs, meta.get("turn"), history, size)


def settle_batch_size(runner: BaseRunner, loader: Any) -> None:
    """Note the batch size, and rescale a resumed run's iteration if it was another before.

    Args:
        runner: About to begin.
        loader: Its training loader.
    """
    point, size = runner._resume_point, batch_size_of(loader)
    runner.batch_size = size
    previous = None if point is None else point.batch_size
    if previous is None or size is None or previous == size:
        return
    scaled = runner.iter * previous // size
    runner.logger.warning(
        "the checkpoint is of a run with %d samples a batch, this one has %d: iteration %d becomes "
        "%d, and the place inside an epoch and the random state are not taken up",
        previous,
        size,
        runner.iter,
        scaled,
    )
    runner._iter, runner._inner_iter = scaled, 0
    runner._resume_point = ResumePoint(None, (), ())


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


def _class_names(optimizer: Optimizer | Mapping[str, Optimizer] | None) -> Any:
    if isinstance(optimizer, Mapping):
        return {name: type(each).__name__ for name, each in optimizer.items()}
    return None if optimizer is None else type(optimizer).__name__


def _check_optimizer_class(saved: Any, own: Any) -> None:
    # torch would take over one optimizer's settings into another, and fail at the first step.
    if saved is not None and own is not None and saved != own:
        raise CheckpointError(
            f"the checkpoint's optimizer is {saved}, this run's is {own}: resume with the one "
            "that wrote it, or use load_from to take the weights only"
        )


def _load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    optimizer.load_state_dict(dict(state))


def _restore_optimizers(runner: BaseRunner, states: Mapping[str, Any]) -> None:
    optimizer, model = runner.optimizer, runner.model
    sharded = isinstance(model, MMFullyShardedDataParallel)
    load = model.load_full_optimizer_state if sharded else _load_optimizer
    try:
        if isinstance(optimizer, Optimizer):
            load(optimizer, states)
        elif isinstance(optimizer, dict):
            for name, each in optimizer.items():
                load(each, states[name])
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
