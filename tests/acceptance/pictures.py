"""Image files that no camera writes, made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(
    pixels: np.ndarray, kind: str = "PNG", mode: str | None = None, **save: object
) -> bytes:
    """An array as the bytes of a file."""
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, format=kind, **save)
    return buffer.getvalue()


def photograph(width: int = 64, height: int = 48) -> np.ndarray:
    """(height, width, 3) uint8 with soft colours, which a JPEG keeps within a few levels."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = (
        rows * 255 / height,
        columns * 255 / width,
        (rows + columns) * 255 / (height + width),
    )
    return np.stack(channels, axis=2).astype(np.uint8)


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels of one bit, about a thousandth of them in bytes."""
    line = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def tiff(channels: int, width: int = 4, height: int = 4) -> bytes:
    """An uncompressed TIFF of so many 8-bit channels."""
    pixels = bytes(width * height * channels)
    bits_at, pixels_at = 8 + 2 + 9 * 12 + 4, 8 + 2 + 9 * 12 + 4 + 2 * channels
    tags = (
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, bits_at), (259, 3, 1, 1),
        (262, 3, 1, 1), (273, 4, 1, pixels_at), (277, 3, 1, channels), (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    )  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 8)
        + struct.pack("<H", len(tags))
        + directory
        + bytes(4)
        + struct.pack("<H", 8) * channels
        + pixels
    )
