"""Who runs, where and since when."""

from __future__ import annotations

import time

from cvcore.environment import get_host_info

__all__ = ["get_host_info", "get_time_str"]


def get_time_str() -> str:
    """The current time as ``YYYYmmdd_HHMMSS``."""
    return time.strftime("%Y%m%d_%H%M%S", time.localtime())
