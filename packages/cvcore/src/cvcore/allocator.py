"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt
_LARGEST_IN_HEAP = 32 << 20  # bytes; glibc takes no more
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory(limit: int = 1 << 30) -> bool:
    """Let glibc keep what is freed at the end of its heap, in place of giving it back.

    A training step frees the maps that the next one allocates again. Pages that went back to the
    system come anew one by one, each filled with zeros first.

    Args:
        limit: Bytes to keep at most.

    Returns:
        Whether it does: with another C library, and where the environment sets its allocator,
        nothing changes.
    """
    if any(name in os.environ for name in _SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP) and mallopt(_TRIM_THRESHOLD, limit))
