"""The checks of what a runner is given, before anything runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from cvcore.runner.hook import Hook


def check_arguments(
    model: nn.Module,
    batch_processor: Callable[..., dict[str, Any]] | None,
    optimizer: Optimizer | dict[str, Optimizer] | None,
    logger: logging.Logger | None,
    meta: dict[str, Any] | None,
) -> None:
    """Raise unless a runner's arguments are of the kinds that it needs."""
    if batch_processor is not None and not callable(batch_processor):
        raise TypeError(f"batch_processor is a function, not {type(batch_processor).__name__}")
    if batch_processor is None and not hasattr(model, "train_step"):
        raise AttributeError(
            f"{type(model).__name__} has no train_step(batch, optimizer): a runner needs it, or a "
            "batch_processor"
        )
    several = optimizer.values() if isinstance(optimizer, dict) else [optimizer]
    if optimizer is not None and not all(isinstance(each, Optimizer) for each in several):
        raise TypeError(
            f"optimizer is a torch optimizer or a dict of them, not {type(optimizer).__name__}"
        )
    if logger is not None and not isinstance(logger, logging.Logger):
        raise TypeError(f"logger is a logging.Logger, not {type(logger).__name__}")
    if meta is not None and not isinstance(meta, dict):
        raise TypeError(f"meta is a dict or None, not {type(meta).__name__}")


def named_by_policy(
    config: Hook | Mapping[str, Any] | None, suffix: str
) -> Hook | Mapping[str, Any] | None:
    """Turn ``policy='step'`` into ``type='Step' + suffix``; other capitals are kept as written."""
    if not isinstance(config, Mapping) or "policy" not in config:
        return config
    arguments = dict(config)
    policy = arguments.pop("policy")
    if policy == policy.lower():
        policy = policy.title()
    return {**arguments, "type": policy + suffix}
