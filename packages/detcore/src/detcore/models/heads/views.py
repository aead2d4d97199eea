"""Boxes and masks between the original image and a view of it, scaled and perhaps flipped."""

from __future__ import annotations

from torch import Tensor

from detcore.boxes.convert import map_boxes, map_boxes_back
from detcore.structures import ImageInfo


def to_input_scale(boxes: Tensor, image: ImageInfo) -> Tensor:
    """(n, 4) xyxy boxes in pixels of the original image, as pixels of the network input."""
    return map_boxes(boxes, image.shape, image.scale_factor, flip=False)


def from_view(boxes: Tensor, image: ImageInfo) -> Tensor:
    """Undo the flip and the scaling of a view; (n, 4 * k) xyxy boxes."""
    return map_boxes_back(boxes, image.shape, image.scale_factor, image.flip, _direction(image))


def to_view(boxes: Tensor, image: ImageInfo) -> Tensor:
    """Scale and flip (n, 4) xyxy boxes of the original image as the view was."""
    return map_boxes(boxes, image.shape, image.scale_factor, image.flip, _direction(image))


def _direction(image: ImageInfo) -> str:
    return image.flip_direction or "horizontal"


def flip_masks(masks: Tensor, image: ImageInfo) -> Tensor:
    """(R, m, m) masks of a view as seen in the unflipped image, and the other way round."""
    axes = {"horizontal": (-1,), "vertical": (-2,), "diagonal": (-2, -1)}
    return masks.flip(axes[_direction(image)]) if image.flip else masks
