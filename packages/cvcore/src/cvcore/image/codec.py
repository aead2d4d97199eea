"""Image files to arrays and back: decoded by content, upright, under a pixel cap."""

from __future__ import annotations

import functools
import io
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvcore.errors import ConfigError, FileError, ImageDecodeError
from cvcore.fileio import FileClient, atomic_write
from cvcore.image import fast
from cvcore.image.jpeg import decode_jpeg

# Pillow opens JPEGs of several pictures (MPO) through the JPEG plugin.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
supported_backends = ("cv2", "turbojpeg", "pillow", "tifffile")
FLAGS = (
    "color",
    "grayscale",
    "unchanged",
    "color_ignore_orientation",
    "grayscale_ignore_orientation",
)
DEFAULT_PIXEL_CAP = 178_956_970

_ORIENTATION_TAG = 0x0112
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_FLOAT_MODES = ("F",)
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image, 1),
}
# Numbers of OpenCV's write flags, as MMCV users pass them, in Pillow's words.
_WRITE_FLAGS = {1: "quality", 16: "compress_level", 64: "quality"}
_ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
    ".png": ("PNG", {"compress_level": 1}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".webp": ("WEBP", {"quality": 95}),
    ".gif": ("GIF", {}),
    ".ppm": ("PPM", {}),
    ".pgm": ("PPM", {}),
}
_TIFF_MARKS = (b"II*\0", b"MM\0*")
_CAP_REMEDY = (
    "If it is meant to be this large, raise the cap: max_pixels of LoadImageFromFile, or "
    "cvcore.image.set_pixel_cap"
)

_logger = logging.getLogger("cvcore")
_pixel_cap = DEFAULT_PIXEL_CAP


@functools.cache
def _warn_once(what: str) -> None:
    """Log this once a process: thousands of files of one kind are worth one line."""
    _logger.warning(what)


def set_pixel_cap(pixels: int) -> None:
    """Refuse images of more than ``pixels`` pixels, before any is decoded.

    A cap above the default raises Pillow's own limit too, which holds for the whole process.
    """
    global _pixel_cap  # noqa: PLW0603 - one limit a process
    if pixels < 1:
        raise ConfigError(f"the pixel cap should be positive, not {pixels}")
    _pixel_cap = pixels
    _raise_pillows_cap(pixels)


def _raise_pillows_cap(pixels: int) -> None:
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = pixels


def use_backend(backend: str) -> None:
    """Check a decoder's name; one decoder reads all formats, whatever name a config gives."""
    if backend not in supported_backends:
        raise ConfigError(
            f"image backend {backend!r} is unknown; choose one of {supported_backends}"
        )


def imread(
    img_or_path: np.ndarray | str | Path,
    flag: str = "color",
    channel_order: str = "bgr",
    backend: str | None = None,
    file_client_args: Mapping[str, Any] | None = None,
    max_pixels: int | None = None,
) -> np.ndarray:
    """Read an image file.

    Args:
        img_or_path: A path, or an address that the file client knows. An array is returned as is.
        flag: ``'color'`` (h, w, 3), ``'grayscale'`` (h, w), each also with
            ``_ignore_orientation``; ``'unchanged'`` keeps channels, depth and palette indices.
        channel_order: ``'bgr'`` or ``'rgb'``.
        backend: A decoder's name; see :func:`use_backend`.
        file_client_args: What the file client is made of; by default the local disk.
        max_pixels: Refuse larger images, before they are decoded; see :func:`set_pixel_cap`.

    Returns:
        C-contiguous uint8 array (uint16 and others where unchanged).

    Raises:
        ImageDecodeError: The file is not an image of a known format, is damaged or too large.
    """
    if isinstance(img_or_path, np.ndarray):
        return img_or_path
    path = str(img_or_path)
    try:
        if file_client_args is None and "://" not in path:
            content = _read_regular_file(path)
        else:
            arguments = None if file_client_args is None else dict(file_client_args)
            content = FileClient.infer_client(arguments, path).get(path)
    except (OSError, FileError) as error:
        raise ImageDecodeError(path, getattr(error, "strerror", None) or error) from error
    return _decode(content, flag, channel_order, backend, path, max_pixels)


def imfrombytes(
    content: bytes,
    flag: str = "color",
    channel_order: str = "bgr",
    backend: str | None = None,
    max_pixels: int | None = None,
) -> np.ndarray:
    """Decode an image from the bytes of a file; arguments and errors as for :func:`imread`."""
    return _decode(content, flag, channel_order, backend, None, max_pixels)


def _read_regular_file(path: str) -> bytes:
    # A pipe would block for ever, a directory gives an error that differs between systems.
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a hot path
        raise ImageDecodeError(path, "not a regular file")
    with open(path, "rb") as file:  # noqa: PTH123 - a hot path
        return file.read()


def _decode(
    content: bytes,
    flag: str,
    channel_order: str,
    backend: str | None,
    path: str | None,
    max_pixels: int | None,
) -> np.ndarray:
    if flag not in FLAGS:
        raise ConfigError(f"image flag {flag!r} is unknown; choose one of {FLAGS}")
    if channel_order not in ("bgr", "rgb"):
        raise ConfigError(f"channel_order is 'bgr' or 'rgb', not {channel_order!r}")
    if backend is not None:
        use_backend(backend)
    if not content:
        raise ImageDecodeError(path, "the file is empty")
    cap = _pixel_cap if max_pixels is None else max_pixels
    _raise_pillows_cap(cap)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(image, path, cap)
            if image.format != "MPO" and getattr(image, "is_animated", False):
                _warn_once(f"{image.format} files of several pictures: the first one is taken")
            array = _fast_array(image, content, flag, channel_order)
            if array is not None:
                return array
            array = _to_array(image, flag, path)
    except ImageDecodeError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageDecodeError(path, _why_unknown(content)) from error
    except Image.DecompressionBombError as error:
        raise ImageDecodeError(path, f"{error} {_CAP_REMEDY}") from error
    except Exception as error:  # damaged files make Pillow's parsers raise nearly anything
        raise ImageDecodeError(path, error) from error
    if channel_order == "bgr" and array.ndim == 3 and array.shape[2] >= 3:
        return swap_red_and_blue(array)
    return np.ascontiguousarray(array)


def _why_unknown(content: bytes) -> str:
    if content[:4] in _TIFF_MARKS:
        return (
            "a TIFF of a kind that is not supported, such as one of more than 4 channels; "
            "save it with 1, 3 or 4 channels of 8 bits"
        )
    return f"not an image of a known format (it begins with {content[:12]!r})"


def swap_red_and_blue(image: np.ndarray) -> np.ndarray:
    """A contiguous copy with the first and third channel exchanged; others stay."""
    sooner = fast.swap_red_and_blue(image)
    if sooner is not None:
        return sooner
    swapped = np.empty(image.shape, image.dtype)
    # Three strided copies are several times faster than one reversed view.
    swapped[..., 0] = image[..., 2]
    swapped[..., 1] = image[..., 1]
    swapped[..., 2] = image[..., 0]
    swapped[..., 3:] = image[..., 3:]
    return swapped


def _check_size(image: Image.Image, path: str | None, cap: int) -> None:
    width, height = image.size
    if width * height > cap:
        raise ImageDecodeError(
            path,
            f"{width} x {height} pixels are more than the cap of {cap}. {_CAP_REMEDY}",
        )


def _to_array(image: Image.Image, flag: str, path: str | None) -> np.ndarray:
    if flag == "unchanged":
        return np.array(image)
    image.load()  # before the orientation, which TIFF files lose by being loaded upright
    orientation = _orientation(image)
    array = _to_eight_bits(image, "RGB" if flag.startswith("color") else "L", path)
    if orientation in _UPRIGHT and not flag.endswith("ignore_orientation"):
        return _UPRIGHT[orientation](array)
    return array


def _fast_array(
    image: Image.Image, content: bytes, flag: str, channel_order: str
) -> np.ndarray | None:
    """The usual case, a JPEG of three colours, without Pillow; None for all others."""
    if image.format != "JPEG" or image.mode != "RGB" or not flag.startswith("color"):
        return None
    array = fast.decode_jpeg(content, channel_order)
    if array is None:
        array = decode_jpeg(content)
        if array is not None and channel_order == "bgr":
            array = swap_red_and_blue(array)
    if array is None or flag.endswith("ignore_orientation"):
        return array
    orientation = _orientation(image)
    if orientation in _UPRIGHT:
        return np.ascontiguousarray(_UPRIGHT[orientation](array))
    return array


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # metadata that cannot be parsed is no reason to refuse the pixels
        return 1


def _to_eight_bits(image: Image.Image, mode: str, path: str | None) -> np.ndarray:
    if image.mode in _FLOAT_MODES:
        raise ImageDecodeError(
            path, f"pixels of mode {image.mode} have no fixed range; save the image with 8 bits"
        )
    if image.mode in _SIXTEEN_BIT_MODES:
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 0xFFFF:
            raise ImageDecodeError(path, "pixels exceed 16 bits; save the image with 8 bits")
        _warn_once("images of 16-bit pixels are scaled to 8 bits (the value divided by 256)")
        grey = (deep >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2) if mode == "RGB" else grey
    return np.array(image if image.mode == mode else image.convert(mode))


def imwrite(
    img: np.ndarray,
    file_path: str | Path,
    params: Mapping[str, Any] | Sequence[int] | None = None,
    auto_mkdir: bool = True,
) -> bool:
    """Write an image in the format of the file's suffix; a crash leaves no half-written file.

    Args:
        img: (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA uint8; grey may be uint16.
        file_path: Where to; the suffix chooses the format.
        params: Pillow's options (``{'quality': 90}``), or OpenCV's list of flag and value.
        auto_mkdir: Make the folder where it is missing.

    Returns:
        True.

    Raises:
        FileError: The suffix or the array's shape or type is not one that can be written.
    """
    path = Path(file_path)
    if path.suffix.lower() not in _ENCODERS:
        raise FileError(
            f"cannot write {path}: suffix {path.suffix!r} is none of {', '.join(_ENCODERS)}"
        )
    name, options = _ENCODERS[path.suffix.lower()]
    image = _to_pillow(img, path)
    buffer = io.BytesIO()
    image.save(buffer, format=name, **{**options, **_write_options(params)})
    if auto_mkdir:
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
    return True


def _write_options(params: Mapping[str, Any] | Sequence[int] | None) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return dict(params)
    return {
        _WRITE_FLAGS[flag]: value for flag, value in zip(params[::2], params[1::2], strict=True)
    }


def _to_pillow(img: np.ndarray, path: Path) -> Image.Image:
    array = img[..., 0] if img.ndim == 3 and img.shape[2] == 1 else img
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    grey_types = (np.dtype(np.uint8), np.dtype(np.uint16))
    fits = array.dtype == np.uint8 if colour else array.ndim == 2 and array.dtype in grey_types
    if not fits:
        raise FileError(
            f"cannot write {path}: {img.dtype} array of shape {img.shape}; an image is uint8 "
            "(h, w), (h, w, 1), (h, w, 3) or (h, w, 4), or uint16 (h, w)"
        )
    return Image.fromarray(swap_red_and_blue(array) if colour else np.ascontiguousarray(array))
