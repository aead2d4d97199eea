"""Draw a detector's result, in the form of the contract, on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from cvcore.image import draw_instances, imwrite


def draw_result(
    image: np.ndarray,
    result: Any,
    class_names: Sequence[str] | None = None,
    *,
    score_thr: float = 0.3,
    palette: Sequence[Sequence[int]] | None = None,
) -> np.ndarray:
    """Boxes, masks, names and scores on a copy of ``image``.

    Args:
        image: (h, w, 3) uint8 BGR.
        result: Per class an (n, 5) array (x1 y1 x2 y2 in pixels, score), or a tuple of that and
            per class a list of masks: (h, w) arrays or COCO run lengths.
        class_names: A name for each class; the class number stands in for a missing one.
        score_thr: Detections below it are left out.
        palette: One RGB colour a class; distinct ones by default.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    per_class, masks_per_class = result if isinstance(result, tuple) else (result, None)
    boxes = np.concatenate([np.reshape(found, (-1, 5)) for found in per_class])
    labels = np.concatenate([np.full(len(found), i) for i, found in enumerate(per_class)])
    order = np.argsort(boxes[:, 4])  # the surest last, on top
    order = order[boxes[order, 4] >= score_thr]
    masks = None
    if masks_per_class is not None:
        flat = [mask for found in masks_per_class for mask in found]
        masks = [_as_array(flat[i]) for i in order]
    return draw_instances(
        image,
        boxes[order, :4],
        labels[order].astype(np.int64),
        scores=boxes[order, 4],
        masks=masks,
        class_names=class_names,
        palette=palette,
    )


def _as_array(mask: Any) -> np.ndarray:
    if isinstance(mask, dict):
        return coco_mask.decode(mask).astype(bool)
    return np.asarray(mask, dtype=bool)


def draw_to_file(
    image: np.ndarray,
    result: Any,
    class_names: Sequence[str] | None,
    out_file: Path | None,
    *,
    score_thr: float = 0.3,
    palette: Sequence[Sequence[int]] | None = None,
    show: bool = False,
) -> np.ndarray:
    """As :func:`draw_result`; written to ``out_file`` if given, opened in a viewer if ``show``."""
    picture = draw_result(image, result, class_names, score_thr=score_thr, palette=palette)
    if out_file is not None:
        out_file.parent.mkdir(parents=True, exist_ok=True)
        imwrite(picture, out_file)
    if show:
        Image.fromarray(picture[:, :, ::-1]).show()
    return picture
