"""Masks of a result as the COCO tools store them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

Encoded = list[list[dict[str, Any]]]


def encode_mask_results(mask_results: Any) -> Encoded | tuple[Encoded, Any]:
    """Run-length encode the masks of one image.

    Args:
        mask_results: a list of masks a class, each (height, width) bool; or a tuple of that and
            mask scores, which are passed on.

    Returns:
        The same with ``dict(size, counts)`` in place of every mask.
    """
    if isinstance(mask_results, tuple):
        masks, scores = mask_results
        return _encode(masks), scores
    return _encode(mask_results)


def _encode(masks: Sequence[Sequence[np.ndarray]]) -> Encoded:
    return [
        [coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in of_class]
        for of_class in masks
    ]
