"""The version of cvcore, as text and as a tuple that compares in order."""

from __future__ import annotations

__version__ = "0.1.0"


def parse_version_info(version: str) -> tuple[int | str, ...]:
    """Split ``"1.7.0rc1"`` into ``(1, 7, 0, "rc1")``."""
    parts: list[int | str] = []
    for part in version.split("."):
        digits = len(part) - len(part.lstrip("0123456789"))
        if digits:
            parts.append(int(part[:digits]))
        if part[digits:]:
            parts.append(part[digits:])
    return tuple(parts)


version_info = parse_version_info(__version__)
