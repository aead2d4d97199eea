"""Versions in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cvcore
from cvcore.version import parse_version_info
from cvcore.versions import digit_version, get_git_hash

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1.2", (1, 2, 0, 0, 0, 0)),
        ("1.2.3.4.5", (1, 2, 3, 4, 0, 0)),
        ("2.6.0+cu124", (2, 6, 0, 0, 0, 0)),
        ("1.2.3a1", (1, 2, 3, 0, -3, 1)),
        ("1.2.3-beta.2", (1, 2, 3, 0, -2, 2)),
        ("1.0rc1", (1, 0, 0, 0, -1, 1)),
        ("1.0.post2", (1, 0, 0, 0, 1, 2)),
        ("v1.0.0.dev20240101", (1, 0, 0, 0, 0, 0)),
    ],
)
def test_a_version_is_a_tuple(text: str, digits: tuple[int, ...]) -> None:
    assert digit_version(text) == digits


def test_versions_compare_as_they_follow() -> None:
    order = ["1.9", "1.10a1", "1.10b1", "1.10rc1", "1.10", "1.10.post1", "1.10.1"]
    digits = [digit_version(text) for text in order]
    assert digits == sorted(digits)
    assert len(set(digits)) == len(digits)


def test_what_is_no_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="'latest' is no version"):
        digit_version("latest")


def test_a_checkout_has_a_hash_and_another_folder_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert get_git_hash("none here", folder=tmp_path) == "none here"
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    full = get_git_hash(folder=tmp_path)
    assert len(full) == 40
    assert get_git_hash(digits=7, folder=tmp_path) == full[:7]
    with pytest.raises(TypeError, match="digits must be an int"):
        get_git_hash(digits="7")  # type: ignore[arg-type]


def test_the_version_is_that_of_the_distribution() -> None:
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "packages/cvcore/pyproject.toml").read_text(encoding="utf-8"))
    assert cvcore.__version__ == project["project"]["version"]
    assert cvcore.version_info == parse_version_info(cvcore.__version__)
    assert parse_version_info("1.7.0rc1") == (1, 7, 0, "rc1")
