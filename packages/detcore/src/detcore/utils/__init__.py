"""The import path that MMDetection users know; everything lives elsewhere."""

from __future__ import annotations

from cvcore.environment import collect_env
from cvcore.runner import find_latest_checkpoint
from detcore.apis.config_files import compat_cfg, replace_cfg_vals, update_data_root
from detcore.apis.train.detector import get_root_logger

__all__ = [
    "collect_env",
    "compat_cfg",
    "find_latest_checkpoint",
    "get_root_logger",
    "replace_cfg_vals",
    "update_data_root",
]
