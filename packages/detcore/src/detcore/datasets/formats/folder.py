"""What a folder of annotated images turned out to be."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cvcore.errors import ImageDecodeError
from cvcore.image.codec import FORMATS

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_SPLITS = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "eval"),
    "test": ("test", "testing"),
}
_ORIENTATION_TAG = 0x0112
_LYING = (5, 6, 7, 8)  # orientations that swap width and height
_WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Split:
    """Images of one purpose, and where their annotations stand."""

    images: Path  # folder that the names in the annotations start from
    annotations: Path | None  # a file or a folder; None for images without any
    listing: Path | None = None  # a file that names the images, where the format has one


@dataclass(frozen=True, slots=True)
class FolderFormat:
    """The format of a folder and its parts; see `recognise`."""

    name: str  # coco, voc, yolo, cityscapes, labelme, cvat, openimages or images
    root: Path
    splits: Mapping[str, Split]  # train, val, test; "all" where nothing tells them apart

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name}: {split.annotations or split.images}" for name, split in self.splits.items()
        )
        return f"{self.root}: {self.name} ({parts})"


def split_of(name: str) -> str | None:
    """``train``, ``val`` or ``test`` if a file's or folder's name says so."""
    words = set(_WORDS.findall(name.lower()))
    for split, spellings in _SPLITS.items():
        if words & set(spellings):
            return split
    return None


def pictures_in(folder: Path, recursive: bool = False) -> Iterator[Path]:
    """Image files of a folder by their suffix, in order of their names; hidden ones left out.

    Links to folders are not followed, so that a loop of links ends.
    """
    for path in files_in(folder, recursive):
        if path.suffix.lower() in PICTURES:
            yield path


def files_in(folder: Path, recursive: bool = False) -> Iterator[Path]:
    """Files of a folder in order of their names, those of folders inside after them."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    entries = [entry for entry in entries if not entry.name.startswith(".")]
    yield from (Path(entry.path) for entry in entries if entry.is_file())
    if recursive:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_in(Path(entry.path), recursive)


def search_file(path: Path, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
    """The first match in a file of any size, which is not read into memory."""
    if not path.stat().st_size:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = pattern.search(content)
        # A match refers to the mapping, which is closed on the way out.
        return None if found is None else pattern.match(bytes(found.group()))


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image as it is decoded, upright; only its header is read.

    Raises:
        ImageDecodeError: The file is not an image of a known format.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION_TAG, 1) in _LYING
    except OSError as error:
        raise ImageDecodeError(str(path), error) from error
    return (height, width) if turned else (width, height)
