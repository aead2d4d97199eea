"""Configs: read as data, inherited, overridden and written."""

from __future__ import annotations

from cvcore.config.mapping import ConfigDict
from cvcore.config.override import DictAction
from cvcore.config.placeholders import interpolate
from cvcore.config.tree import Config, import_custom_modules

__all__ = ["Config", "ConfigDict", "DictAction", "import_custom_modules", "interpolate"]
