"""Hooks that know what a detector's run looks like; importing this registers them."""

from detcore.apis.hooks.averages import ExpMomentumEMAHook, LinearMomentumEMAHook
from detcore.apis.hooks.checks import CheckInvalidLossHook, NumClassCheckHook
from detcore.apis.hooks.epoch import SetEpochInfoHook
from detcore.apis.hooks.norms import SyncNormHook

__all__ = [
    "CheckInvalidLossHook",
    "ExpMomentumEMAHook",
    "LinearMomentumEMAHook",
    "NumClassCheckHook",
    "SetEpochInfoHook",
    "SyncNormHook",
]
