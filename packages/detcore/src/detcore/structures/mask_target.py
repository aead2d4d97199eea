"""What a mask head should say: the part of an object's mask inside each positive proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detcore.structures.masks import BaseInstanceMasks


def mask_target(
    pos_proposals_list: Sequence[Tensor],
    pos_assigned_gt_inds_list: Sequence[Tensor],
    gt_masks_list: Sequence[BaseInstanceMasks],
    cfg: Mapping[str, Any],
) -> Tensor:
    """Targets of all images' positive proposals.

    Args:
        pos_proposals_list: (p_i, 4) of each image, x1 y1 x2 y2.
        pos_assigned_gt_inds_list: (p_i,) the object of each proposal.
        gt_masks_list: the masks of each image.
        cfg: ``mask_size``, one side or (height, width); ``soft_mask_target`` keeps how much of a
            pixel is covered.

    Returns:
        (sum p_i, height, width) float.
    """
    images = zip(pos_proposals_list, pos_assigned_gt_inds_list, gt_masks_list, strict=True)
    return torch.cat([mask_target_single(*one, cfg) for one in images])


def mask_target_single(
    pos_proposals: Tensor,
    pos_assigned_gt_inds: Tensor,
    gt_masks: BaseInstanceMasks,
    cfg: Mapping[str, Any],
) -> Tensor:
    """(p, height, width) float targets of one image; see ``mask_target``."""
    size = cfg["mask_size"]
    height, width = (size, size) if isinstance(size, int) else size
    if len(pos_proposals) == 0:
        return pos_proposals.new_zeros((0, height, width))
    boxes = pos_proposals.detach().cpu().numpy()
    limits = [gt_masks.width, gt_masks.height] * 2
    parts = gt_masks.crop_and_resize(
        np.clip(boxes, 0, limits).astype(boxes.dtype),
        (height, width),
        pos_assigned_gt_inds.cpu().numpy(),
        device=pos_proposals.device,
        binarize=not cfg.get("soft_mask_target", False),
    )
    return torch.from_numpy(parts.to_ndarray()).float().to(pos_proposals.device)
