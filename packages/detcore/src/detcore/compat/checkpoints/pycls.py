"""RegNet weights of pycls, the project of RegNet's authors."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from cvcore.errors import CheckpointError
from detcore.compat.checkpoints.converted import Converted

_BLOCK = re.compile(r"s(\d)\.b(\d+)\.(.+)\.(\w+)")
_LAYERS = {
    "proj": "downsample.0",
    "bn": "downsample.1",
    "f.a": "conv1",
    "f.a_bn": "bn1",
    "f.b": "conv2",
    "f.b_bn": "bn2",
    "f.c": "conv3",
    "f.c_bn": "bn3",
}


def is_pycls(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of a RegNet of pycls."""
    return "stem.conv.weight" in state_dict and "s1.b1.f.a.weight" in state_dict


def convert_pycls(state_dict: Mapping[str, Tensor]) -> Converted:
    """Turn a RegNetX of pycls into detcore's RegNet; the classifier goes.

    Raises:
        CheckpointError: A weight has no counterpart, as the squeeze-excitation of RegNetY.
    """
    converted: dict[str, Tensor] = {}
    left_out = []
    for key, value in state_dict.items():
        if key.startswith("head."):
            left_out.append(key)
        else:
            converted[_rename(key)] = value
    notes = ["its images are BGR, scaled by the deviation"]
    return Converted("a RegNet of pycls", converted, notes, left_out)


def _rename(key: str) -> str:
    if key.startswith("stem.conv."):
        return key.replace("stem.conv", "conv1", 1)
    if key.startswith("stem.bn."):
        return key.replace("stem.bn", "bn1", 1)
    block = _BLOCK.fullmatch(key)
    if block is None or block[3] not in _LAYERS:
        raise CheckpointError(
            f"pycls' weight {key!r} has no counterpart; RegNetX converts, RegNetY does not"
        )
    # Stages and blocks count from 1 there; blocks from 0 here.
    return f"layer{block[1]}.{int(block[2]) - 1}.{_LAYERS[block[3]]}.{block[4]}"
