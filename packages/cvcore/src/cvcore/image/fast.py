"""What libraries of the extra `fast` do sooner, to the same pixels, where they are installed.

Every function gives None for what its library is not there or not made for; the caller then does
the work itself.
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType

import numpy as np

_LONGEST = 32766  # edge of an image that OpenCV resizes
_CHANNELS = (1, 3, 4)  # it halves images of two in another way


@functools.cache
def _opencv() -> ModuleType | None:
    mine = "cv2" not in sys.modules
    try:
        library = importlib.import_module("cv2")
    except ImportError:  # absent, or without a system library that it needs
        return None
    if mine:
        # Loader processes are forked, which threads of OpenCV's own do not survive.
        library.setNumThreads(0)
    return library


@functools.cache
def _simplejpeg() -> ModuleType | None:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None


def load_libraries() -> None:
    """Import the libraries now, so that forked processes need not do so one by one."""
    _opencv()
    _simplejpeg()


def decode_jpeg(content: bytes, channel_order: str) -> np.ndarray | None:
    """(h, w, 3) uint8 of a JPEG file in colours; None too for a file with a fault.

    Args:
        content: The whole file.
        channel_order: ``'bgr'`` or ``'rgb'``.
    """
    library = _simplejpeg()
    if library is None:
        return None
    try:
        image: np.ndarray = library.decode_jpeg(content, channel_order.upper())
    except ValueError:
        return None
    return image


def resize_bilinear(img: np.ndarray, size: tuple[int, int]) -> np.ndarray | None:
    """Resize a uint8 image without antialiasing.

    Args:
        img: (h, w) or (h, w, c).
        size: (width, height) of the result.
    """
    library = _opencv()
    channels = img.shape[2] if img.ndim == 3 else 1
    if library is None or channels not in _CHANNELS or max(*img.shape[:2], *size) > _LONGEST:
        return None
    resized: np.ndarray = library.resize(np.ascontiguousarray(img), size)
    return resized.reshape(size[1], size[0], *img.shape[2:])


def swap_red_and_blue(img: np.ndarray) -> np.ndarray | None:
    """A copy of an (h, w, 3) uint8 image with its first and third channel exchanged."""
    library = _opencv()
    if library is None or img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
        return None
    if not img.size:
        return None
    swapped: np.ndarray = library.cvtColor(np.ascontiguousarray(img), library.COLOR_BGR2RGB)
    return swapped
