"""A training iteration in a file, to be run again: batch, weights and random state."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cvcore.errors import CheckpointError
from cvcore.parallel.plain import batch_from_plain, batch_to_plain
from cvcore.runner.checkpoint import checkpoint_content, load_state_dict, read_checkpoint
from cvcore.runner.checkpoint.save import write_checkpoint
from cvcore.runner.fp16 import autocast, device_type_of, wrap_fp16_model
from cvcore.runner.random_state import set_random_state

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

MARK = "failing_iteration"


@dataclass(frozen=True, slots=True)
class Dump:
    """A training iteration as :func:`write_dump` kept it."""

    batch: Any
    message: str  # why it was kept
    iteration: int  # from 1
    log_vars: dict[str, float]
    meta: dict[str, Any]  # of the run: config text, classes, seed
    state_dict: dict[str, Any]
    random_state: dict[str, Any] | None
    half: bool  # whether it ran in mixed precision


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of running an iteration again."""

    loss: float
    log_vars: dict[str, float]
    bad_gradients: list[str]  # names of parameters whose gradient is not finite


def write_dump(
    path: Path, runner: BaseRunner, message: str, random_state: dict[str, Any] | None
) -> None:
    """Keep the present iteration of a run; of a sharded model all ranks have to call this.

    Raises:
        CheckpointError: The file cannot be written.
    """
    kept = ("config", "CLASSES", "seed", "exp_name")
    meta = {key: value for key, value in (runner.meta or {}).items() if key in kept}
    modules = runner.model.modules()
    half = any(getattr(module, "fp16_enabled", False) for module in modules)
    content = checkpoint_content(runner.model, meta=meta)
    if content is None:
        return
    content[MARK] = {
        "batch": batch_to_plain(runner.data_batch),
        "message": message,
        "iteration": runner.iter + 1,
        "log_vars": {k: float(v) for k, v in runner.outputs.get("log_vars", {}).items()},
        "random_state": random_state,
        "half": half or runner.forward_context is not nullcontext,
    }
    write_checkpoint(content, path)


def load_dump(path: str | Path) -> Dump:
    """Read what :func:`write_dump` kept; nothing in the file is executed.

    Raises:
        CheckpointError: It is no such file.
    """
    content = read_checkpoint(path, map_location="cpu")
    if not isinstance(content, dict) or MARK not in content:
        raise CheckpointError(f"{path} keeps no failing iteration: give a nonfinite_iter_*.pth")
    kept = content[MARK]
    return Dump(
        batch=batch_from_plain(kept["batch"]),
        message=kept["message"],
        iteration=kept["iteration"],
        log_vars=kept["log_vars"],
        meta=content["meta"],
        state_dict=content["state_dict"],
        random_state=kept["random_state"],
        half=kept["half"],
    )


def replay(dump: Dump, model: nn.Module, optimizer: Any = None) -> Replay:
    """Run an iteration again, forward and backward, on the weights that it ran on.

    Args:
        dump: What was kept.
        model: The model as its config builds it, in the wrapper that unpacks batches.
        optimizer: Passed on to ``train_step``.
    """
    load_state_dict(model, dump.state_dict, strict=False)
    model.train()
    model.zero_grad(set_to_none=True)
    context: Any = nullcontext()
    if dump.half and any(hasattr(module, "fp16_enabled") for module in model.modules()):
        wrap_fp16_model(model)
    elif dump.half:
        context = autocast(device_type_of(model))
    if dump.random_state is not None:
        set_random_state(dump.random_state)
    with context:
        outputs = model.train_step(dump.batch, optimizer)
    outputs["loss"].backward()
    bad = [
        name.removeprefix("module.")
        for name, param in model.named_parameters()
        if param.grad is not None and not bool(torch.isfinite(param.grad).all())
    ]
    log_vars = {name: float(value) for name, value in outputs["log_vars"].items()}
    return Replay(float(outputs["loss"].detach()), log_vars, bad)
