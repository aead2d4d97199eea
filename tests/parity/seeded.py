"""Weights and inputs that any machine can make again from a name alone.

`fill(model)` overwrites every parameter and buffer of a model with numbers that depend only on
the entry's key and shape, so that two implementations whose state dicts have the same keys and
shapes hold the same weights.  `image`, `boxes`, `labels` and `masks` make inputs the same way.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable

import numpy as np
import torch


def _generator(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)


def _gain(key: str) -> float:
    """Keep box deltas small and class scores spread, so that detections survive the thresholds."""
    layer = key.rsplit(".", 2)[-2] if key.count(".") else key
    if "reg" in layer or "bbox" in layer:
        return 0.2
    if "cls" in layer:
        return 6.0
    return 1.0


def values(key: str, shape: Iterable[int]) -> np.ndarray:
    """Float64 array of `shape` for the state-dict entry `key`."""
    rng, shape = _generator(key), tuple(shape)
    noise = rng.standard_normal(shape)
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "running_var":
        return 1.0 + 0.2 * np.abs(noise)
    if leaf == "running_mean":
        return 0.1 * noise
    if len(shape) >= 2:  # convolution, linear or embedding weight
        fan_in = int(np.prod(shape[1:]))
        return noise * _gain(key) / math.sqrt(fan_in)
    if leaf == "weight":  # a norm layer's scale
        return 1.0 + 0.1 * noise
    return 0.1 * noise


@torch.no_grad()
def fill(model: torch.nn.Module) -> torch.nn.Module:
    """Overwrite every floating-point entry of the model's state dict in place; return the model."""
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.as_tensor(values(key, tensor.shape)).to(tensor.dtype))
    return model


def image(n: int, height: int, width: int, name: str = "image") -> torch.Tensor:
    """(n, 3, height, width) float32, smooth noise of about unit variance (a normalised image)."""
    rng = _generator(name)
    blocks = rng.standard_normal((n, 3, height // 8, width // 8))
    coarse = torch.as_tensor(blocks, dtype=torch.float32)
    fine = torch.as_tensor(rng.standard_normal((n, 3, height, width)), dtype=torch.float32)
    up = torch.nn.functional.interpolate(coarse, size=(height, width), mode="nearest")
    return up + 0.25 * fine


def boxes(n: int, height: int, width: int, name: str) -> torch.Tensor:
    """(n, 4) float32 boxes (x1, y1, x2, y2) in pixels, each at least 12 pixels on a side."""
    rng = _generator(name)
    wh = np.stack([rng.uniform(12, width * 0.7, n), rng.uniform(12, height * 0.7, n)], 1)
    xy = rng.uniform(0, 1, (n, 2)) * (np.array([[width, height]]) - wh)
    return torch.as_tensor(np.concatenate([xy, xy + wh], 1), dtype=torch.float32)


def labels(n: int, num_classes: int, name: str) -> torch.Tensor:
    """(n,) int64 labels in [0, num_classes)."""
    return torch.as_tensor(_generator(name).randint(0, num_classes, n), dtype=torch.int64)


def masks(boxes_xyxy: torch.Tensor, height: int, width: int) -> np.ndarray:
    """(n, height, width) uint8: the ellipse inscribed in each box."""
    ys, xs = np.mgrid[:height, :width] + 0.5
    out = []
    for x1, y1, x2, y2 in boxes_xyxy.numpy().astype(np.float64):
        across = (xs - (x1 + x2) / 2) / ((x2 - x1) / 2)
        down = (ys - (y1 + y2) / 2) / ((y2 - y1) / 2)
        out.append(across**2 + down**2 <= 1)
    return np.asarray(out, dtype=np.uint8).reshape(-1, height, width)
