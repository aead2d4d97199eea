"""Configs of earlier versions, rewritten once at the border."""

from detcore.compat.config import upgrade_config

__all__ = ["upgrade_config"]
