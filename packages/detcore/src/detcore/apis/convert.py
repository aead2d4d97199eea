"""Checkpoints of other projects and of earlier versions, turned into checkpoints of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cvcore import Config
from cvcore.fileio.plain_pickle import load_plain_pickle
from cvcore.runner import CheckpointLoader, MissingCheckpointError
from cvcore.runner.checkpoint.keys import Differences, revise
from cvcore.runner.checkpoint.load import STRIP_WRAPPER, weights_in
from detcore.compat.checkpoints.converted import Converted
from detcore.compat.checkpoints.detectron2 import convert_detectron2
from detcore.compat.checkpoints.pycls import convert_pycls, is_pycls
from detcore.compat.checkpoints.self_supervised import (
    convert_self_supervised,
    is_self_supervised,
)
from detcore.compat.checkpoints.torchvision import (
    OUR_EPS,
    convert_torchvision_backbone,
    convert_torchvision_detector,
    is_torchvision_backbone,
    is_torchvision_detector,
)
from detcore.errors import DetcoreError
from detcore.models import build_detector
from detcore.models.detectors.old_keys import upgrade_weights


def convert_file(
    source: str | Path,
    class_rows: Sequence[int] | None = None,
    batch_norm_eps: float = OUR_EPS,
) -> tuple[Converted, dict[str, Any]]:
    """Read a file of weights, recognise where it comes from, and convert it.

    Args:
        source: A ``.pkl`` of detectron2; or anything that ``load_checkpoint`` reads.
        class_rows: Which classes of a torchvision detector are taken, and in which order.
        batch_norm_eps: The epsilon of a torchvision detector's batch norms.

    Returns:
        The weights and what the file said about them.

    Raises:
        CheckpointError: The file is damaged, no data, or has weights without a counterpart.
    """
    if str(source).endswith(".pkl"):
        return convert_detectron2(read_pickle(Path(source))), {}
    checkpoint = CheckpointLoader.load_checkpoint(str(source), map_location="cpu")
    weights = revise(weights_in(checkpoint, source), STRIP_WRAPPER)
    meta = checkpoint.get("meta") if isinstance(checkpoint.get("meta"), dict) else {}
    if is_torchvision_detector(weights):
        return convert_torchvision_detector(weights, class_rows, batch_norm_eps), meta
    for recognises, convert in RECOGNISED:
        if recognises(weights):
            return convert(weights), meta
    return convert_older(weights, str(meta.get("mmdet_version", ""))), meta


RECOGNISED: tuple[tuple[Callable[..., bool], Callable[..., Converted]], ...] = (
    (is_self_supervised, convert_self_supervised),
    (is_torchvision_backbone, convert_torchvision_backbone),
    (is_pycls, convert_pycls),
)


def convert_older(weights: Mapping[str, Tensor], version: str = "") -> Converted:
    """Weights of an earlier MMDetection with today's keys; averages (``ema_*``) are left out."""
    upgraded = {key: value for key, value in weights.items() if not key.startswith("ema_")}
    left_out = [key for key in weights if key.startswith("ema_")]
    notes = upgrade_weights(upgraded, version)
    source = f"MMDetection {version}".strip() if notes or version else "weights of detcore's keys"
    return Converted(source, upgraded, notes or ["nothing had to be changed"], left_out)


def read_pickle(path: Path) -> Mapping[str, Any]:
    """The dict in a pickle of arrays, without running anything of the file's.

    Raises:
        MissingCheckpointError: There is no such file.
        FileError: It holds more than data.
        DetcoreError: It holds no dict.
    """
    if not path.is_file():
        raise MissingCheckpointError(f"there is no checkpoint {path}; check the path")
    content = load_plain_pickle(path.read_bytes(), str(path))
    if not isinstance(content, dict):
        raise DetcoreError(f"{path} holds a {type(content).__name__}, not a dict of weights")
    return content


def compare_with_config(weights: Mapping[str, Tensor], cfg: Config) -> Differences:
    """Where weights and the model of a config disagree; of a backbone alone, its backbone."""
    with torch.device("meta"):
        model: nn.Module = build_detector(cfg["model"])
    if not any(key.startswith("backbone.") for key in weights):
        model = model.backbone
    own = {key: value.shape for key, value in model.state_dict().items()}
    return Differences(
        missing=[
            key for key in own if key not in weights and not key.endswith("num_batches_tracked")
        ],
        unexpected=[key for key in weights if key not in own],
        mismatched=[
            (key, str(tuple(weights[key].shape)), str(tuple(shape)))
            for key, shape in own.items()
            if key in weights and weights[key].shape != shape
        ],
    )
