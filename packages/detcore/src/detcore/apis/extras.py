"""Which optional packages are installed, by the extra that asks for them."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version

_OF_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def installed_extras(distributions: tuple[str, ...] = ("cvcore", "detcore")) -> dict[str, str]:
    """Name of each extra to the versions of its packages, or to what is missing."""
    packages: dict[str, list[str]] = {}
    for distribution in distributions:
        for requirement in _requirements(distribution):
            extra = _OF_EXTRA.search(requirement)
            name = re.match(r"[\w.-]+", requirement)
            if extra and name:
                packages.setdefault(extra.group(1), []).append(name.group())
    return {
        extra: ", ".join(_state(name) for name in dict.fromkeys(names))
        for extra, names in sorted(packages.items())
    }


def _requirements(distribution: str) -> list[str]:
    try:
        return requires(distribution) or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return []


def _state(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"
