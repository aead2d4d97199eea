"""Loading checkpoints whose keys or shapes differ from those of the backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.cnn.init_record import note_initialised
from cvcore.errors import CheckpointError
from cvcore.log import get_logger
from cvcore.runner.checkpoint import CheckpointLoader, load_state_dict

StateDict = dict[str, Tensor]
_PREFIXES = ("module.", "backbone.")


def pretrained_path(init_cfg: Any) -> str | None:
    """Return the checkpoint that an `init_cfg` names, if it names one."""
    if not isinstance(init_cfg, Mapping) or init_cfg.get("type", "Pretrained") != "Pretrained":
        return None
    return init_cfg.get("checkpoint")


def load_converted(
    module: nn.Module,
    path: str,
    convert: Callable[[Mapping[str, Tensor]], StateDict] | None = None,
    fit: Callable[[nn.Module, StateDict], None] | None = None,
) -> None:
    """Load a checkpoint into a backbone, reporting every key that does not fit.

    Args:
        module: the backbone.
        path: path or address of the checkpoint.
        convert: turns the authors' state dict into one of the backbone's keys.
        fit: changes entries of the state dict in place to the backbone's shapes.
    """
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location="cpu")
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f"checkpoint {path} holds no state dict")
    weights: StateDict = dict(checkpoint.get("state_dict") or checkpoint.get("model") or checkpoint)
    for prefix in _PREFIXES:
        if any(key.startswith(prefix) for key in weights):
            weights = {
                key.removeprefix(prefix): value
                for key, value in weights.items()
                if key.startswith(prefix)
            }
    if convert is not None:
        weights = convert(weights)
    if fit is not None:
        fit(module, weights)
    load_state_dict(module, weights, strict=False, logger=get_logger("cvcore"))
    note_initialised(module, f"checkpoint {path}")
