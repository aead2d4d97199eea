"""JPEG files of three colours by torchvision's decoder: the pixels of Pillow's, sooner.

Both use libjpeg-turbo; Pillow reads into pixels of four bytes and hands them out through copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cvcore.torchvision_library import operators

_RGB = 3  # torchvision's number for it


def decode_jpeg(content: bytes) -> np.ndarray | None:
    """(h, w, 3) uint8 RGB; None for a file with a fault, and where the decoder is not to be had.

    Args:
        content: The whole file.
    """
    decode: Any = getattr(operators("image", "image"), "decode_jpeg", None)
    if decode is None:
        return None
    try:
        image = decode(torch.frombuffer(bytearray(content), dtype=torch.uint8), _RGB)
    except RuntimeError:
        return None
    pixels: np.ndarray = image.permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels)
