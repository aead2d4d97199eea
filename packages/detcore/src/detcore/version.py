"""Version of the detcore package."""

from __future__ import annotations

__version__ = "0.1.0"


def parse_version_info(text: str) -> tuple[int | str, ...]:
    """Split ``"1.2.0rc1"`` into ``(1, 2, 0, "rc1")``."""
    parts: list[int | str] = []
    for part in text.split("."):
        number, mark, candidate = part.partition("rc")
        parts.append(int(number) if number.isdigit() else number)
        if mark:
            parts.append(mark + candidate)
    return tuple(parts)


version_info = parse_version_info(__version__)
