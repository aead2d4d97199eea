"""The tables of imports lead from every name of MMDetection 2 to something that is there."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "tutorials" / "migration.md").read_text(encoding="utf-8")
MODULES = tomllib.loads((TESTS / "data" / "mmdet_names.toml").read_text(encoding="utf-8"))
ROWS = re.findall(r"^\| `(mm\w+[\w.]*)` \| `((?:cvcore|detcore)[\w.]*)` \|$", PAGE, re.MULTILINE)


def found(dotted: str) -> bool:
    """Whether a module, or a name in a module, can be imported."""
    try:
        importlib.import_module(dotted)
    except ImportError:
        module, _, name = dotted.rpartition(".")
        return bool(module) and hasattr(importlib.import_module(module), name)
    return True


@pytest.mark.parametrize(("there", "here"), ROWS)
def test_what_takes_the_place_of_an_import_is_there(there: str, here: str) -> None:
    assert found(here), f"{there} -> {here}"


@pytest.mark.parametrize("module", MODULES)
def test_each_name_of_mmdetection_is_there_or_in_a_table(module: str) -> None:
    told = {there for there, _ in ROWS}
    part = PAGE.partition("### What is not there")[2].partition("\n## ")[0]
    for row in re.findall(r"^\| (`mm.*?) \|", part, re.MULTILINE):
        told |= set(re.findall(r"`([\w.]+)`", row))
    ours = importlib.import_module(dict(ROWS)[module]) if module in dict(ROWS) else None
    names = MODULES[module]["names"].split()
    missing = {f"{module}.{name}" for name in names if not hasattr(ours, name)}
    assert missing - told == set()


def test_the_tables_have_the_modules_that_only_change_their_first_word() -> None:
    assert len(ROWS) > 140
    assert {"mmcv", "mmcv.runner", "mmdet.models", "mmdet.datasets"} <= set(dict(ROWS))


def test_version_3_and_its_engine_have_their_tables_too() -> None:
    there = set(dict(ROWS))
    for package in ("config", "registry", "hooks", "model", "runner", "fileio", "dist", "logging"):
        assert any(name.startswith(f"mmengine.{package}.") for name in there), package
    assert {"mmdet.registry.MODELS", "mmdet.datasets.transforms", "mmdet.structures.bbox"} <= there
    names = [name for name, _ in ROWS]
    assert len(names) == len(set(names))
