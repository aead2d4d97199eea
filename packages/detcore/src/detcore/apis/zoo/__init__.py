"""Configs by name: which can be built here, and weights that are published for them."""

from __future__ import annotations

from detcore.apis.zoo.check import ZooEntry, build_without_weights, check_config, check_folder
from detcore.apis.zoo.fetch import Fetched, fetch
from detcore.apis.zoo.index import ZooModel, read_index

__all__ = [
    "Fetched",
    "ZooEntry",
    "ZooModel",
    "build_without_weights",
    "check_config",
    "check_folder",
    "fetch",
    "read_index",
]
