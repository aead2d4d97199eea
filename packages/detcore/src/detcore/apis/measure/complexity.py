"""How large a detector is and how much it computes on one image."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from cvcore import Config
from cvcore.cnn import count_flops
from cvcore.config import import_custom_modules
from detcore.apis.measure.noise import noise_batch
from detcore.models import build_detector


@dataclass(frozen=True, slots=True)
class Part:
    """One child of the detector, such as its backbone."""

    name: str
    parameters: int
    flops: float


@dataclass(frozen=True, slots=True)
class Complexity:
    """Size and computation of a detector.

    Computation is multiply-adds of convolutions, matrix products and attention on one image; norms,
    activations, region pooling and suppression are not counted. A convolution counts as it is
    defined, whichever way it would be computed.
    """

    shape: tuple[int, int]  # height and width of the image, padded
    parameters: int
    trainable: int
    flops: float
    parts: list[Part]


def model_complexity(cfg: Config, height: int, width: int, size_divisor: int = 32) -> Complexity:
    """Build the detector of ``cfg`` with random weights, run it on noise and count.

    The second stage sees as many regions as the config allows at most: no score is too low.

    Args:
        cfg: A whole config.
        height: Of the image, in pixels.
        width: As height.
        size_divisor: Both are rounded up to a multiple of it, as the test pipeline pads.
    """
    import_custom_modules(cfg)
    settings = deepcopy(cfg["model"])
    testing = settings.get("test_cfg") or {}
    if "score_thr" in (testing.get("rcnn") or {}):
        testing["rcnn"]["score_thr"] = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_detector(settings, cfg.get("train_cfg"), cfg.get("test_cfg"))
    return complexity_of(model.train(), height, width, size_divisor)


def complexity_of(model: nn.Module, height: int, width: int, size_divisor: int = 32) -> Complexity:
    """As :func:`model_complexity`, of a model that is built; it stays as it is."""
    shape = (_rounded(height, size_divisor), _rounded(width, size_divisor))
    by_path = _flops(model, *shape)
    return Complexity(
        shape=shape,
        parameters=_parameters(model),
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        flops=by_path[""],
        parts=[
            Part(name, _parameters(part), _within(part, name, by_path))
            for name, part in model.named_children()
        ],
    )


def _rounded(size: int, divisor: int) -> int:
    return -(-size // divisor) * divisor


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _within(module: nn.Module, path: str, by_path: Mapping[str, float]) -> float:
    """Multiply-adds in a module; one whose parts are called without it counts for their sum."""
    inner = sum(
        _within(child, f"{path}.{name}", by_path) for name, child in module.named_children()
    )
    return max(by_path.get(path, 0.0), inner)


def _flops(model: nn.Module, height: int, width: int) -> dict[str, float]:
    """Multiply-adds by the path of each module; the whole model's path is empty."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return count_flops(model, return_loss=False, rescale=False, **noise_batch(1, height, width))
