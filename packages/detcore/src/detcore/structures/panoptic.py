"""How panoptic maps and their pictures number the segments of an image."""

from __future__ import annotations

import numpy as np

# A map of results holds label + INSTANCE_OFFSET * instance in each pixel.
INSTANCE_OFFSET = 1000


def rgb_to_id(colours: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 RGB to (...) int64: red + 256 green + 65536 blue, as COCO has it."""
    wide = colours.astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]


def id_to_rgb(ids: np.ndarray) -> np.ndarray:
    """The inverse of `rgb_to_id`: (...) integers to (..., 3) uint8."""
    wide = ids.astype(np.int64)
    return np.stack([wide % 256, wide // 256 % 256, wide // 65536 % 256], axis=-1).astype(np.uint8)
