"""Versions that compare in order, and the commit of a checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_VERSION = re.compile(
    r"v?(?:\d+!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[._-]?(?P<stage>a|alpha|b|beta|c|rc|pre|preview)[._-]?(?P<stage_number>\d*))?"
    r"(?P<post>(?:-|[._-]?(?:post|rev|r)[._-]?)(?P<post_number>\d+))?"
    r"(?:[._-]?dev\d*)?(?:\+[a-z0-9._-]+)?",
    re.IGNORECASE,
)
_STAGES = {"a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "pre": -1, "preview": -1}


def digit_version(version_str: str, length: int = 4) -> tuple[int, ...]:
    """A version as a tuple of ints; a pre-release comes before its release, a post-release after.

    ``"1.2rc1"`` gives ``(1, 2, 0, 0, -1, 1)`` and ``"1.2"`` gives ``(1, 2, 0, 0, 0, 0)``.

    Args:
        version_str: Such as ``"2.6.0+cu124"``; what follows the ``+`` does not count.
        length: How many numbers the release is filled up, or cut, to.

    Raises:
        ValueError: The text is no version.
    """
    match = _VERSION.fullmatch(version_str.strip())
    if match is None:
        raise ValueError(f"{version_str!r} is no version")
    release = [int(part) for part in match["release"].split(".")][:length]
    release += [0] * (length - len(release))
    if match["stage"]:
        return (*release, _STAGES[match["stage"].lower()], int(match["stage_number"] or 0))
    if match["post"]:
        return (*release, 1, int(match["post_number"]))
    return (*release, 0, 0)


def get_git_hash(
    fallback: str = "unknown", digits: int | None = None, folder: str | Path | None = None
) -> str:
    """The commit of the checkout around a folder, by default the current one.

    Args:
        fallback: Given where there is no git or no checkout.
        digits: How many characters of the hash; all by default.
        folder: A folder in the checkout.
    """
    if digits is not None and not isinstance(digits, int):
        raise TypeError(f"digits must be an int or None, not {digits!r}")
    command = ["git", "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    except (OSError, subprocess.CalledProcessError):
        return fallback
    return answer.stdout.strip()[:digits]
