"""Loading checkpoints into models."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cvcore.cnn.initializers import WEIGHT_SOURCES
from cvcore.errors import CheckpointError, hint
from cvcore.log import get_logger
from cvcore.runner.checkpoint.keys import load_exactly, load_state_dict, revise
from cvcore.runner.checkpoint.schemes import CheckpointLoader

STRIP_WRAPPER = ((r"^module\.", ""),)
# Under which keys projects keep the weights beside optimizers and counters.
WEIGHT_KEYS = ("state_dict", "model", "model_state", "model_state_dict", "net")


def _load_checkpoint(
    filename: str | Path, map_location: Any = None, logger: logging.Logger | None = None
) -> Any:
    """What a checkpoint holds: a dict with ``state_dict``, or the state dict itself."""
    return CheckpointLoader.load_checkpoint(filename, map_location, logger)


def _load_checkpoint_with_prefix(
    prefix: str, filename: str | Path, map_location: Any = None
) -> OrderedDict[str, Any]:
    """The part of a checkpoint's state dict below ``prefix``, without it.

    Raises:
        CheckpointError: No key begins with the prefix.
    """
    weights = weights_in(_load_checkpoint(filename, map_location), filename)
    start = prefix if prefix.endswith(".") else f"{prefix}."
    part = OrderedDict((k[len(start) :], v) for k, v in weights.items() if k.startswith(start))
    if not part:
        tops = {key.partition(".")[0] for key in weights}
        raise CheckpointError(
            f"checkpoint {filename} has no keys below {prefix!r}{hint(prefix, tops)}. "
            f"Its keys begin with: {', '.join(sorted(tops))}"
        )
    return part


def load_checkpoint(
    model: nn.Module,
    filename: str | Path,
    map_location: Any = None,
    strict: bool = False,
    logger: logging.Logger | None = None,
    revise_keys: Sequence[tuple[str, str]] = STRIP_WRAPPER,
) -> dict[str, Any]:
    """Load a checkpoint's weights into a model.

    Args:
        model: The model, wrapped or not.
        filename: A path or an address: ``http(s)://``, ``torchvision://``, ``open-mmlab://`` or
            another that is registered with CheckpointLoader.
        map_location: Device for the tensors.
        strict: Whether keys and shapes must be exactly the model's; otherwise every difference
            is reported.
        logger: Gets the report.
        revise_keys: Pairs of a regular expression and its substitute, applied to every key.

    Returns:
        The checkpoint.
    """
    checkpoint = _load_checkpoint(filename, map_location, logger)
    weights = weights_in(checkpoint, filename)
    load_state_dict(model, revise(weights, revise_keys), strict, logger)
    return checkpoint


def load_for_resume(
    model: nn.Module,
    filename: str | Path,
    map_location: Any = None,
    logger: logging.Logger | None = None,
) -> dict[str, Any]:
    """Load the weights of a run that is taken up, which have to be exactly the model's.

    Returns:
        The checkpoint.

    Raises:
        StateDictError: A key is missing, or one too many, or has another shape.
    """
    checkpoint = _load_checkpoint(filename, map_location, logger)
    load_exactly(model, revise(weights_in(checkpoint, filename), STRIP_WRAPPER), filename)
    return checkpoint


def weights_in(checkpoint: Any, filename: str | Path) -> dict[str, Any]:
    """The state dict in a checkpoint, whatever key it stands under; or the checkpoint itself.

    Raises:
        CheckpointError: The file holds no dict.
    """
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f"checkpoint {filename} has no state dict: it holds a {type(checkpoint).__name__}"
        )
    for key in WEIGHT_KEYS:
        if isinstance(checkpoint.get(key), dict):
            return checkpoint[key]
    return checkpoint


@WEIGHT_SOURCES.register_module(name="checkpoint")
def initialise_from(
    module: nn.Module, filename: str, prefix: str | None = None, map_location: Any = None
) -> None:
    """Initialise a module from a checkpoint, as ``init_cfg=dict(type='Pretrained')`` asks."""
    logger = get_logger("cvcore")
    if prefix is None:
        load_checkpoint(module, filename, map_location, logger=logger)
    else:
        part = _load_checkpoint_with_prefix(prefix, filename, map_location)
        load_state_dict(module, part, logger=logger)
