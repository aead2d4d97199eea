"""Libraries of our extras as if they were not installed, for the rest of a process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

FAST = ("cv2", "orjson", "simplejpeg")  # what the extra `fast` installs
EVAL = ("hotcoco", "faster_coco_eval")  # what counts for the evaluation where it is there


def hide(names: Sequence[str]) -> None:
    """Let imports of these libraries fail from here on, in forked processes too.

    Raises:
        RuntimeError: One has been imported already.
    """
    early = sorted(name for name in names if sys.modules.get(name) is not None)
    if early:
        raise RuntimeError(f"{', '.join(early)} should be hidden, but are imported already")
    # For such a name `import` raises ModuleNotFoundError, and `find_spec` gives None.
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
