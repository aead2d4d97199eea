"""torchvision's operators, loaded by the first call of one.

Importing torchvision brings torch's compiler and its ONNX exporter along: as long as importing
torch takes, and 160 MiB, for which a training has no use. Suppression, which every detector calls,
is therefore taken from torchvision's compiled library alone; the other operators, whose gradients
may be defined in Python, come by the import.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

LIBRARIES = ("_C_stable", "_C")  # their names, the newer first

Suppression = Callable[[Tensor, Tensor, float], Tensor]


def vision_ops() -> Any:
    """The module ``torchvision.ops``."""
    import torchvision.ops

    return torchvision.ops


def keep_by_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """``torchvision.ops.nms``: places of the (n, 4) boxes that no better one overlaps by more."""
    # What follows a program without running it needs torchvision's descriptions of shapes, too.
    followed = torch.compiler.is_compiling() or torch.jit.is_tracing() or type(boxes) is not Tensor
    suppress = vision_ops().nms if followed else _suppression()
    kept: Tensor = suppress(boxes, scores, iou_threshold)
    return kept


@functools.cache
def _suppression() -> Suppression:
    """The operator from its library, or from the package where the library is not to be had so."""
    path = _library()
    if path is not None:
        try:
            torch.ops.load_library(path)
            found: Suppression = torch.ops.torchvision.nms
        except (OSError, AttributeError):
            pass  # it needs what the package prepares, which also says best what is wrong
        else:
            return found
    of_package: Suppression = vision_ops().nms
    return of_package


def _library() -> Path | None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    files = (folder / f"{name}{suffix}" for name in LIBRARIES for suffix in EXTENSION_SUFFIXES)
    return next((file for file in files if file.is_file()), None)
