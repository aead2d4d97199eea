"""A checkpoint without what only its training needs."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from cvcore.fileio import atomic_write
from cvcore.runner.checkpoint import read_checkpoint
from cvcore.runner.checkpoint.keys import average_name
from cvcore.runner.checkpoint.seal import write_sealed
from detcore.errors import DetcoreError

# What using a model takes; the state of a run (random numbers, positions, best scores) stays away.
KEPT_META = ("CLASSES", "PALETTE", "config", "exp_name", "epoch", "iter", "time", "seed")
HASH_LENGTH = 8


def publish_checkpoint(source: str | Path, out: str | Path, *, half: bool = False) -> Path:
    """Write weights, class names and config of a checkpoint.

    Args:
        source: A checkpoint.
        out: ``name.pth`` becomes ``name-HASH.pth``, with the first digits of the SHA-256 of its
            weights: the same weights always get the same name.
        half: Store floating-point weights as float16.

    Returns:
        The path written.

    Raises:
        CheckpointError: ``source`` cannot be read as a checkpoint.
        DetcoreError: ``source`` holds no weights.
    """
    content = read_checkpoint(source, map_location="cpu")
    weights = content.get("state_dict", content)
    if not any(isinstance(value, torch.Tensor) for value in weights.values()):
        raise DetcoreError(f"{source}: this file holds no weights")
    # Beside the weights in use, weight averaging keeps those that training goes on with.
    beside = {average_name(key) for key in weights}
    kept = OrderedDict(
        (key, _stored(value, half)) for key, value in weights.items() if key not in beside
    )
    meta = content.get("meta", {})
    versions = [key for key in meta if key.endswith("_version")]
    published = {
        "meta": {key: meta[key] for key in (*KEPT_META, *versions) if meta.get(key) is not None},
        "state_dict": kept,
    }
    target = Path(out)
    name = f"{target.stem}-{weights_hash(kept)}{target.suffix or '.pth'}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target.with_name(name)) as file:
        write_sealed(published, file)
    return target.with_name(name)


def weights_hash(weights: OrderedDict[str, Any]) -> str:
    """The first digits of the SHA-256 of names and values."""
    digest = hashlib.sha256()
    for key, value in weights.items():
        digest.update(key.encode())
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:HASH_LENGTH]


def _stored(value: Any, half: bool) -> Any:
    if half and isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.half()
    return value
