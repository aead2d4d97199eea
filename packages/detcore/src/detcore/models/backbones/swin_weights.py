"""Checkpoints of Swin Transformer's authors, and of other window and image sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from detcore.models.layers.position_embedding import resize_positions

_RENAMES = (
    (r"^layers\.", "stages."),
    (r"\.attn\.(?!w_msa)", ".attn.w_msa."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
)
# The authors list a neighbourhood's four tokens column by column, `F.unfold` row by row.
_ROW_BY_ROW = [0, 2, 1, 3]


def swin_from_official(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' keys and reorder the weights of the mergings."""
    converted = {}
    for key, value in weights.items():
        if key.startswith("head.") or key.endswith("attn_mask"):
            continue
        renamed = key
        for pattern, replacement in _RENAMES:
            renamed = re.sub(pattern, replacement, renamed)
        if ".downsample.reduction." in key:
            converted[renamed] = _reorder(value)
        elif ".downsample.norm." in key:
            converted[renamed] = _reorder(value[None])[0]
        else:
            converted[renamed] = value
    return converted


def _reorder(weight: Tensor) -> Tensor:
    """Turn input channels (token, channel) into (channel, token) with tokens row by row."""
    return weight.unflatten(1, (4, -1))[:, _ROW_BY_ROW].transpose(1, 2).flatten(1)


def fit_swin(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Interpolate position tables to the backbone's window and image size."""
    own = module.state_dict()
    for key, value in weights.items():
        if key.endswith("relative_position_bias_table") and key in own:
            weights[key] = _resize_table(value, own[key])
        elif key == "absolute_pos_embed" and key in own and value.shape[2] == own[key].shape[2]:
            side = round(value.shape[1] ** 0.5)
            weights[key] = resize_positions(value, (side, side), module.patch_grid, mode="bicubic")
        elif key.endswith("relative_position_index") and key in own:
            weights[key] = own[key]


def _resize_table(table: Tensor, own: Tensor) -> Tensor:
    if table.shape == own.shape or table.shape[1] != own.shape[1]:
        return table
    before, after = round(len(table) ** 0.5), round(len(own) ** 0.5)
    image = table.T.reshape(1, -1, before, before)
    resized = F.interpolate(image, size=(after, after), mode="bicubic", align_corners=False)
    return resized.reshape(-1, after * after).T
