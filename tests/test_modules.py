"""Every module of the two packages can be imported, whatever has moved since."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import cvcore
import detcore

MODULES = [
    module.name
    for package in (cvcore, detcore)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name: str) -> None:
    """Those that only one command uses too."""
    importlib.import_module(name)
