"""Style and types hold everywhere; nothing is exempt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ["packages", "tests", "scripts"]
COMMANDS = {
    "format": ["ruff", "format", "--check", *CODE],
    "lint": ["ruff", "check", *CODE],
    "types": ["mypy", "packages/cvcore/src", "packages/detcore/src"],
}


@pytest.mark.parametrize("what", COMMANDS)
def test_the_whole_project_passes(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *COMMANDS[what]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
