"""Hooks that know what a detector's run looks like; importing this registers them."""

from detcore.apis.hooks.checks import CheckInvalidLossHook, NumClassCheckHook
from detcore.apis.hooks.epoch import SetEpochInfoHook

__all__ = ["CheckInvalidLossHook", "NumClassCheckHook", "SetEpochInfoHook"]
