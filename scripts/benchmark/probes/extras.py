"""Libraries of our extras as if they were not installed, for the rest of a process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

FAST = ("cv2", "orjson", "simplejpeg")  # what the extra `fast` installs


class _Hidden(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{fullname} is hidden here", name=fullname)
        return None


def hide(names: Sequence[str]) -> None:
    """Let imports of these libraries fail from here on.

    Raises:
        RuntimeError: One has been imported already.
    """
    early = sorted(sys.modules.keys() & set(names))
    if early:
        raise RuntimeError(f"{', '.join(early)} should be hidden, but are imported already")
    sys.meta_path.insert(0, _Hidden(names))
