"""Checkpoints of PVT's authors."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from detcore.models.layers.position_embedding import AbsolutePositionEmbedding, resize_positions


def pvt_from_official(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' keys; queries, keys and values become one projection."""
    with_positions = any(key.startswith("pos_embed") for key in weights)
    with_conv = any(".mlp.dwconv." in key for key in weights)
    converted: dict[str, Tensor] = {}
    for key, value in weights.items():
        renamed = _rename(key, int(with_positions), 4 if with_conv else 3)
        if renamed is None:
            continue
        if key.endswith((".attn.q.weight", ".attn.q.bias")):
            converted[renamed] = torch.cat([value, weights[key.replace(".attn.q.", ".attn.kv.")]])
        elif key.endswith((".fc1.weight", ".fc2.weight")):
            converted[renamed] = value[..., None, None]
        else:
            converted[renamed] = value
    return converted


def _rename(key: str, first_block: int, last_layer: int) -> str | None:
    """Return the backbone's key, or None for an entry that it does not have or joins to another."""
    top = re.match(r"(pos_embed|patch_embed|block|norm)(\d)(?:\.(.+))?$", key)
    if top is None or ".attn.kv." in key:
        return None
    part, stage, rest = top[1], f"layers.{int(top[2]) - 1}", top[3] or ""
    if part == "pos_embed":
        return f"{stage}.1.0.pos_embed"
    if part == "patch_embed":
        return f"{stage}.0.{rest.replace('proj.', 'projection.')}"
    if part == "norm":
        return f"{stage}.2.{rest}"
    block, _, inner = rest.partition(".")
    for pattern, replacement in (
        (r"^attn\.q\.(weight|bias)$", r"attn.attn.in_proj_\1"),
        (r"^attn\.proj\.", "attn.attn.out_proj."),
        (r"^mlp\.dwconv\.dwconv\.", "ffn.layers.1."),
        (r"^mlp\.fc1\.", "ffn.layers.0."),
        (r"^mlp\.fc2\.", f"ffn.layers.{last_layer}."),
    ):
        inner = re.sub(pattern, replacement, inner)
    return f"{stage}.1.{int(block) + first_block}.{inner}"


def fit_pvt(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Bring positions, of a square grid and perhaps a class token, to the backbone's grid."""
    for name, part in module.named_modules():
        key = f"{name}.pos_embed"
        if isinstance(part, AbsolutePositionEmbedding) and key in weights:
            side = int(weights[key].shape[1] ** 0.5)
            weights[key] = resize_positions(weights[key], (side, side), part.pos_shape)
