"""The names that ``mmdet.core`` users know; this face only re-exports, and nothing leans on it."""

from __future__ import annotations

from cvcore.dist import all_reduce_mean as reduce_mean
from detcore.boxes import (
    fast_nms,
    mask_matrix_nms,
    merge_aug_bboxes,
    merge_aug_masks,
    merge_aug_proposals,
    merge_aug_scores,
    multiclass_nms,
)
from detcore.core import anchor, bbox, mask
from detcore.core.anchor import *  # noqa: F403  (its __all__ is the list)
from detcore.core.bbox import *  # noqa: F403
from detcore.core.mask import *  # noqa: F403
from detcore.evaluation import average_precision, eval_map, eval_recalls, get_classes
from detcore.structures import multi_apply, unmap

__all__ = [
    "average_precision",
    "eval_map",
    "eval_recalls",
    "fast_nms",
    "get_classes",
    "mask_matrix_nms",
    "merge_aug_bboxes",
    "merge_aug_masks",
    "merge_aug_proposals",
    "merge_aug_scores",
    "multi_apply",
    "multiclass_nms",
    "reduce_mean",
    "unmap",
]
__all__ += anchor.__all__
__all__ += bbox.__all__
__all__ += mask.__all__
