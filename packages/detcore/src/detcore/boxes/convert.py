"""Boxes from one form to another: regions of a batch, results by class, flips, scales, centres."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detcore.errors import check_option

_FLIPS = ("horizontal", "vertical", "diagonal")


def boxes_to_rois(boxes: Sequence[Tensor]) -> Tensor:
    """Boxes of every image, (n_i, 4+), as one (sum n_i, 5): image index, x1 y1 x2 y2."""
    rows = [
        torch.cat([image_boxes.new_full((len(image_boxes), 1), index), image_boxes[:, :4]], dim=-1)
        if len(image_boxes)
        else image_boxes.new_zeros((0, 5))
        for index, image_boxes in enumerate(boxes)
    ]
    return torch.cat(rows)


def rois_to_boxes(rois: Tensor) -> list[Tensor]:
    """(n, 5) regions as one (k, 4) per image that has any, in the order of the images."""
    return [rois[rois[:, 0] == image, 1:] for image in rois[:, 0].unique()]


def boxes_to_results(
    boxes: Tensor | np.ndarray, labels: Tensor | np.ndarray, num_classes: int
) -> list[np.ndarray]:
    """Detections sorted into classes.

    Args:
        boxes: (n, 5) x1 y1 x2 y2 score.
        labels: (n,) class of each.
        num_classes: length of the result.

    Returns:
        One (k, 5) float32 array per class, in the order of ``boxes``.
    """
    if len(boxes) == 0:
        return [np.zeros((0, 5), dtype=np.float32) for _ in range(num_classes)]
    boxes, labels = _to_numpy(boxes), _to_numpy(labels)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(num_classes + 1))
    ordered = boxes[order]
    return [ordered[start:stop] for start, stop in itertools.pairwise(bounds)]


def _to_numpy(array: Tensor | np.ndarray) -> np.ndarray:
    return array.detach().cpu().numpy() if isinstance(array, Tensor) else array


def flip_boxes(boxes: Tensor, shape: Sequence[int], direction: str = "horizontal") -> Tensor:
    """Mirror (..., 4 * k) boxes inside an image of ``shape`` (height, width)."""
    check_option("flip_boxes", "direction", direction, _FLIPS)
    flipped = boxes.clone()
    if direction in ("horizontal", "diagonal"):
        flipped[..., 0::4] = shape[1] - boxes[..., 2::4]
        flipped[..., 2::4] = shape[1] - boxes[..., 0::4]
    if direction in ("vertical", "diagonal"):
        flipped[..., 1::4] = shape[0] - boxes[..., 3::4]
        flipped[..., 3::4] = shape[0] - boxes[..., 1::4]
    return flipped


def rescale_boxes(boxes: Tensor, scale_factor: Any) -> Tensor:
    """Boxes of the network input in pixels of the original image: divided by ``scale_factor``.

    Args:
        boxes: (..., 4 * k) x1 y1 x2 y2.
        scale_factor: one number or four, network input over original image.
    """
    factor = torch.as_tensor(scale_factor, dtype=boxes.dtype, device=boxes.device)
    if factor.dim() == 0:
        return boxes / factor
    return (boxes.unflatten(-1, (-1, 4)) / factor).reshape(boxes.shape)


def map_boxes(
    boxes: Tensor,
    shape: Sequence[int],
    scale_factor: Any,
    flip: bool,
    flip_direction: str = "horizontal",
) -> Tensor:
    """Boxes of the original image in a resized and perhaps flipped view of ``shape``."""
    scaled = boxes * torch.as_tensor(scale_factor, dtype=boxes.dtype, device=boxes.device)
    return flip_boxes(scaled, shape, flip_direction) if flip else scaled


def map_boxes_back(
    boxes: Tensor,
    shape: Sequence[int],
    scale_factor: Any,
    flip: bool,
    flip_direction: str = "horizontal",
) -> Tensor:
    """Boxes of a resized and perhaps flipped view in the original image."""
    boxes = flip_boxes(boxes, shape, flip_direction) if flip else boxes
    return rescale_boxes(boxes, scale_factor)


def clip_boxes(boxes: Tensor, shape: Any) -> Tensor:
    """Boxes cut at the borders of their image.

    Args:
        boxes: (n, 4 * k), or (batch, n, 4 * k).
        shape: (height, width, ...); for a batch also one row per image.
    """
    limits = torch.as_tensor(shape, dtype=boxes.dtype, device=boxes.device)[..., :2].flip(-1)
    limits = torch.cat([limits] * (boxes.size(-1) // 2), dim=-1)
    if limits.dim() > 1:
        limits = limits.unsqueeze(1)
    return torch.minimum(boxes.clamp(min=0), limits)


def scale_boxes(boxes: Tensor, scale: float) -> Tensor:
    """Boxes grown or shrunk about their centres; (n, 4), or (n, 5) with an image index in front."""
    coordinates = boxes[..., -4:]
    centre = (coordinates[..., :2] + coordinates[..., 2:]) * 0.5
    half = (coordinates[..., 2:] - coordinates[..., :2]) * 0.5 * scale
    return torch.cat([boxes[..., :-4], centre - half, centre + half], dim=-1)


def inside_mask(boxes: Tensor, height: int, width: int) -> Tensor:
    """(n,) bool: which (n, 4) boxes have a part inside the image."""
    left, top, right, bottom = boxes.unbind(-1)
    return (left < width) & (right > 0) & (top < height) & (bottom > 0)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """(..., 4) x1 y1 x2 y2 to centre and size."""
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(corner + opposite) / 2, opposite - corner], dim=-1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(..., 4) centre and size to x1 y1 x2 y2."""
    centre, half = boxes[..., :2], 0.5 * boxes[..., 2:]
    return torch.cat([centre - half, centre + half], dim=-1)
