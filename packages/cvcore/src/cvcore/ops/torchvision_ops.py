"""torchvision's operators, loaded by the first call of one.

Suppression, which every detector calls, is taken from torchvision's compiled library alone. The
other operators, whose gradients may be defined in Python, come by the package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cvcore.torchvision_library import operators


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
def _suppression() -> Callable[[Tensor, Tensor, float], Tensor]:
    """The operator of the library, or the package's, which says what is wrong where it has none."""
    found = getattr(operators("_C", "torchvision"), "nms", None)
    return vision_ops().nms if found is None else found
