"""What a person calls a picture, or several: paths, folders, globs, addresses, arrays, images."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from cvcore.errors import CvcoreError
from cvcore.fileio import HTTPBackend
from cvcore.image import imfrombytes, imread
from detcore.errors import DetcoreError, ShapeError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
WEB = ("http://", "https://")

PictureInput: TypeAlias = str | Path | np.ndarray | Image.Image
PictureInputs: TypeAlias = PictureInput | Iterable[PictureInput]
OnBad: TypeAlias = Callable[[PictureInput, Exception], None]


@dataclass(frozen=True, slots=True)
class LoadedPicture:
    """The pixels of one input, and where they came from."""

    pixels: np.ndarray  # (h, w, 3) uint8 BGR
    source: str | None = None  # path or address; None for what came from memory


def load_pictures(inputs: PictureInputs, on_bad: OnBad | None = None) -> Iterator[LoadedPicture]:
    """Read every picture of ``inputs``, one at a time, in order.

    Args:
        inputs: A path, a folder, a glob such as ``photos/**/*.jpg``, an http(s) address, a
            (h, w, 3) uint8 BGR or (h, w) uint8 grey array, a Pillow image, or an iterable of
            these.
        on_bad: Is told of a picture that cannot be read, which is then passed over; by default
            it is an error.

    Raises:
        DetcoreError: A path does not exist, or a folder or glob holds no picture.
        ImageDecodeError: A file is no picture.
        ShapeError: An array is none either.
    """
    for one in expand_pictures(inputs):
        try:
            loaded = _load(one)
        except (CvcoreError, OSError) as error:
            if on_bad is None:
                raise
            on_bad(one, error)
        else:
            yield loaded


def expand_pictures(inputs: PictureInputs) -> Iterator[PictureInput]:
    """Folders and globs as the paths that they stand for; everything else as it is."""
    if isinstance(inputs, (str, Path)):
        yield from _paths(str(inputs))
    elif isinstance(inputs, (np.ndarray, Image.Image)):
        yield inputs
    elif isinstance(inputs, Iterable):
        for one in inputs:
            yield from expand_pictures(one)
    else:
        raise DetcoreError(
            f"a picture is a path, a folder, a glob, an http(s) address, a BGR array or a Pillow "
            f"image, not {type(inputs).__name__}"
        )


def _paths(name: str) -> Iterator[str]:
    path = Path(name)
    if name.startswith(WEB) or path.is_file():
        yield name
    elif path.is_dir():
        yield from _pictures_among(path.iterdir(), f"{name}: no pictures in this folder")
    elif glob.has_magic(name):
        found = (Path(match) for match in glob.iglob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
        yield from _pictures_among(found, f"{name}: no pictures match this pattern")
    else:
        raise DetcoreError(f"{name}: no such file or folder")


def _pictures_among(paths: Iterable[Path], complaint: str) -> list[str]:
    found = sorted(str(path) for path in paths if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise DetcoreError(f"{complaint} ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return found


def _load(one: PictureInput) -> LoadedPicture:
    if isinstance(one, np.ndarray):
        return LoadedPicture(_checked(one))
    if isinstance(one, Image.Image):
        rgb = np.asarray(ImageOps.exif_transpose(one).convert("RGB"))
        return LoadedPicture(np.ascontiguousarray(rgb[:, :, ::-1]))
    name = str(one)
    if name.startswith(WEB):
        return LoadedPicture(imfrombytes(HTTPBackend().get(name)), name)
    return LoadedPicture(imread(name), name)


def _checked(array: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 of a (h, w, 3) or (h, w) uint8 array."""
    usable = array.ndim in (2, 3) and array.size and (array.ndim == 2 or array.shape[2] == 3)
    if array.dtype != np.uint8 or not usable:
        raise ShapeError(
            f"a picture array is (h, w, 3) uint8 in BGR order, or (h, w) uint8 grey, not "
            f"{array.shape} {array.dtype}; of RGB pixels, pass array[..., ::-1]"
        )
    return array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
