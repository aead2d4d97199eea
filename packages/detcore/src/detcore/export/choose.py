"""Candidates of a whole batch in tensors of fixed length, and the choice among them.

A graph has no place for lists whose length depends on the picture: places that are not used keep
the score ``NOTHING``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.export.operators import NOTHING, first, survives


@dataclass(frozen=True, slots=True)
class Pool:
    """K candidates of each of N images."""

    boxes: Tensor  # (N, K, 4) float32 xyxy in pixels of the network input
    scores: Tensor  # (N, K) float32; NOTHING in places that are not used
    labels: Tensor  # (N, K) int64
    groups: Tensor  # (N, K) int64; those of different groups do not suppress each other

    def best(self, count: int) -> Pool:
        """The ``count`` of the highest scores, best first; unused places fill up."""
        missing = max(0, count - self.scores.shape[1]) if _is_known(self.scores.shape[1]) else count
        filled = replace(
            self,
            boxes=F.pad(self.boxes, (0, 0, 0, missing)),
            scores=F.pad(self.scores, (0, missing), value=NOTHING),
            labels=F.pad(self.labels, (0, missing)),
            groups=F.pad(self.groups, (0, missing)),
        )
        scores, order = first(filled.scores, count)
        return Pool(
            take(filled.boxes, order),
            scores,
            filled.labels.gather(1, order),
            filled.groups.gather(1, order),
        )


def _is_known(size: Any) -> bool:
    """Whether a size is a number already, not a symbol of a traced graph."""
    return isinstance(size, int)


def take(rows: Tensor, order: Tensor) -> Tensor:
    """(N, k, d) of (N, K, d): the rows at the (N, k) places of each image."""
    return rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2]))


def suppress_batch(pool: Pool, nms: Mapping[str, Any], count: int) -> Pool:
    """Suppress within each group and keep the ``count`` best; all of them where not positive.

    Args:
        pool: the candidates.
        nms: an ``nms`` of a ``test_cfg`` that :func:`detcore.export.support.check` let pass.
        count: detections of an image.
    """
    used = pool.scores > NOTHING
    boxes = pool.boxes
    if not nms.get("class_agnostic", False):
        # As in the model: groups move apart, each beyond the reach of the one before.
        farthest = torch.where(used[..., None], boxes, 0).amax(dim=(1, 2), keepdim=True)
        boxes = boxes + pool.groups.to(boxes)[..., None] * (farthest + 1)
    keep = survives(boxes, pool.scores, float(nms.get("iou_threshold", nms.get("iou_thr"))))
    kept = replace(pool, scores=torch.where(keep, pool.scores, NOTHING))
    return kept.best(count if count > 0 else pool.scores.shape[1])
