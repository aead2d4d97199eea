"""Multi-scale deformable attention (Zhu et al., "Deformable DETR", arXiv 2010.04159)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def multi_scale_deformable_attn(
    value: Tensor,
    value_spatial_shapes: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """Weighted sums of values sampled at a few points of each level.

    Args:
        value: (N, S, M, D), the levels' pixels one behind the other, M heads.
        value_spatial_shapes: (L, 2) int64, height and width of each level.
        sampling_locations: (N, Q, M, L, P, 2), x and y relative to the image.
        attention_weights: (N, Q, M, L, P).

    Returns:
        (N, Q, M * D).
    """
    batch, _, heads, depth = value.shape
    queries = sampling_locations.shape[1]
    shapes = [(int(height), int(width)) for height, width in value_spatial_shapes]
    levels = value.split([height * width for height, width in shapes], dim=1)
    grids = (2 * sampling_locations - 1).transpose(1, 2).flatten(0, 1)
    weights = attention_weights.transpose(1, 2).flatten(0, 1)
    total = torch.zeros((), dtype=value.dtype, device=value.device)
    for level, ((height, width), pixels) in enumerate(zip(shapes, levels, strict=True)):
        maps = pixels.permute(0, 2, 3, 1).reshape(batch * heads, depth, height, width)
        sampled = F.grid_sample(
            maps, grids[:, :, level], mode="bilinear", padding_mode="zeros", align_corners=False
        )
        total = total + (sampled * weights[:, None, :, level]).sum(dim=-1)
    return total.view(batch, heads * depth, queries).transpose(1, 2).contiguous()
