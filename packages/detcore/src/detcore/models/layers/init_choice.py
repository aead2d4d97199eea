"""Which initialisation a backbone takes when a config may say it in three ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detcore.errors import OptionError

InitConfig = Mapping[str, Any] | Sequence[Mapping[str, Any]]

KAIMING_CONV_UNIT_NORM: InitConfig = (
    {"type": "Kaiming", "layer": "Conv2d"},
    {"type": "Constant", "val": 1, "layer": ["_BatchNorm", "GroupNorm"]},
)


def choose_init_cfg(
    owner: str,
    init_cfg: InitConfig | None,
    pretrained: str | None,
    default: InitConfig | None = KAIMING_CONV_UNIT_NORM,
) -> InitConfig | None:
    """Return `init_cfg`, the older `pretrained` as an `init_cfg`, or the default.

    Raises:
        OptionError: both are given, or `pretrained` is not a path.
    """
    if pretrained is None:
        return default if init_cfg is None else init_cfg
    if init_cfg:
        raise OptionError(f"{owner}: init_cfg and pretrained are both given; keep init_cfg")
    if not isinstance(pretrained, str):
        raise OptionError(f"{owner}: pretrained must be a path or None, not {pretrained!r}")
    return {"type": "Pretrained", "checkpoint": pretrained}
