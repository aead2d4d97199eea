"""Checkpoints: one file of tensors and plain data, complete or absent."""

from __future__ import annotations

from cvcore.runner.checkpoint.keys import StateDictError, load_state_dict
from cvcore.runner.checkpoint.latest import find_latest_checkpoint
from cvcore.runner.checkpoint.load import (
    _load_checkpoint,
    _load_checkpoint_with_prefix,
    load_checkpoint,
    load_for_resume,
)
from cvcore.runner.checkpoint.read import MissingCheckpointError, read_checkpoint
from cvcore.runner.checkpoint.save import (
    checkpoint_content,
    get_state_dict,
    point_latest_to,
    save_checkpoint,
    weights_to_cpu,
    write_checkpoint,
)
from cvcore.runner.checkpoint.schemes import CheckpointLoader
from cvcore.runner.checkpoint.seal import verify_file
from cvcore.runner.checkpoint.writer import CheckpointWriter, snapshot
from cvcore.runner.checkpoint.zoos import torchvision_url

__all__ = [
    "CheckpointLoader",
    "CheckpointWriter",
    "MissingCheckpointError",
    "StateDictError",
    "_load_checkpoint",
    "_load_checkpoint_with_prefix",
    "checkpoint_content",
    "find_latest_checkpoint",
    "get_state_dict",
    "load_checkpoint",
    "load_for_resume",
    "load_state_dict",
    "point_latest_to",
    "read_checkpoint",
    "save_checkpoint",
    "snapshot",
    "torchvision_url",
    "verify_file",
    "weights_to_cpu",
    "write_checkpoint",
]
