"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import os
from functools import cache, partial

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt
_LARGEST_IN_HEAP = 32 << 20  # bytes; glibc takes no more
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory(limit: int = 1 << 30) -> bool:
    """Let glibc keep what is freed at the end of its heap, in place of giving it back.

    A training step frees the maps that the next one allocates again. Pages that went back to the
    system come anew one by one, each filled with zeros first. Before this process forks they do go
    back: what both processes see is copied, page by page, for the one that writes to it next.

    Args:
        limit: Bytes to keep at most.

    Returns:
        Whether it does: with another C library, and where the environment sets its allocator,
        nothing changes.
    """
    if any(name in os.environ for name in _SETTINGS):
        return False
    library = ctypes.CDLL(None) if os.name == "posix" else None
    mallopt = getattr(library, "mallopt", None)
    if mallopt is None:
        return False
    kept = mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP) and mallopt(_TRIM_THRESHOLD, limit)
    if kept:
        _give_back_before_forks()
    return bool(kept)


@cache
def _give_back_before_forks() -> None:
    os.register_at_fork(before=partial(ctypes.CDLL(None).malloc_trim, 0))
