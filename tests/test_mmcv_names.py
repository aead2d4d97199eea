"""Every public name of MMCV is where a user looks for it, or its absence is explained."""

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
PARTS = tomllib.loads((TESTS / "data" / "mmcv_names.toml").read_text(encoding="utf-8"))
PAGE = (TESTS.parent / "docs" / "differences.md").read_text(encoding="utf-8")


def explained(part: str) -> set[str]:
    """The names in the first column of the table under a part's heading."""
    heading = re.search(rf"^### Names of MMCV: {part}\n(.*?)(?=^#|\Z)", PAGE, re.M | re.S)
    assert heading is not None, f"docs/differences.md has no heading for {part}"
    rows = re.findall(r"^\| (`.*?) \|", heading[1], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("part", PARTS)
def test_each_name_is_there_or_its_absence_is_explained(part: str) -> None:
    module = importlib.import_module(PARTS[part]["module"])
    missing = {name for name in PARTS[part]["names"].split() if not hasattr(module, name)}
    assert missing == explained(part)
