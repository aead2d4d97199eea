"""ResNets that learnt without labels: MoCo (He et al., 2020) and SwAV (Caron et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from detcore.compat.checkpoints.converted import Converted

QUERY = "encoder_q."  # MoCo's encoder that is trained; encoder_k is its average
HEADS = ("fc.", "projection_head.", "prototypes.")  # what compares features while learning


def is_self_supervised(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of MoCo's or SwAV's training."""
    has_prototypes = "conv1.weight" in state_dict and "prototypes.weight" in state_dict
    return f"{QUERY}conv1.weight" in state_dict or has_prototypes


def convert_self_supervised(state_dict: Mapping[str, Tensor]) -> Converted:
    """Take the ResNet out of MoCo's or SwAV's weights; it has detcore's keys."""
    is_moco = f"{QUERY}conv1.weight" in state_dict
    start = QUERY if is_moco else ""
    kept, left_out = {}, []
    for key, value in state_dict.items():
        inside = key.removeprefix(start)
        if not key.startswith(start) or inside.startswith(HEADS):
            left_out.append(key)
        else:
            kept[inside] = value
    name = "MoCo" if is_moco else "SwAV"
    return Converted(f"a ResNet of {name}", kept, [f"the heads of {name} are left out"], left_out)
