"""PASCAL VOC's annotation files: xml, one an image.

Corners are numbers of pixels, of which VOC counts the first as 1; boxes here begin at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from xml.etree import ElementTree

import numpy as np

from detcore.errors import AnnotationError

FIRST_PIXEL = 1


@dataclass(frozen=True, slots=True)
class VocPage:
    """What one xml says."""

    filename: str | None
    folder: str | None
    size: tuple[int, int] | None  # width, height; None where the file does not say
    names: list[str]
    boxes: np.ndarray  # (n, 4) float64 x1 y1 x2 y2 as written
    difficult: np.ndarray  # (n,) bool


def parse_xml(content: bytes, file: str) -> ElementTree.Element:
    """The root of an xml without a document type, which could make it grow without bounds.

    Raises:
        AnnotationError: It is not well-formed, or declares a document type.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise AnnotationError(
            f"{file}: xml with a document type is not read; remove <!DOCTYPE ...>"
        )
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise AnnotationError(f"{file}:{line}:{column + 1}: not valid xml: {error}") from error


def read_page(content: bytes, file: str) -> VocPage:
    """Parse one annotation file.

    Raises:
        AnnotationError: An object has no name or no box of four finite numbers.
    """
    root = parse_xml(content, file)
    names, boxes, difficult = [], [], []
    for number, item in enumerate(root.iter("object"), start=1):
        name = item.findtext("name")
        if not name:
            raise AnnotationError(f"{file}: object {number} has no name")
        names.append(name.strip())
        boxes.append(_corners(item, f"{file}: object {number} ({names[-1]})"))
        difficult.append((item.findtext("difficult") or "0").strip() not in ("0", ""))
    return VocPage(
        filename=root.findtext("filename"),
        folder=root.findtext("folder"),
        size=_size(root),
        names=names,
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        difficult=np.array(difficult, dtype=bool),
    )


def _corners(item: ElementTree.Element, where: str) -> list[float]:
    texts = [item.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
    try:
        corners = [float(text or "") for text in texts]
    except ValueError:
        corners = []
    if not corners or not np.isfinite(corners).all():
        raise AnnotationError(f"{where}: bndbox is {texts}; it needs xmin, ymin, xmax and ymax")
    return corners


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    width, height = root.findtext("size/width"), root.findtext("size/height")
    if not (width and height):
        return None
    size = int(float(width)), int(float(height))
    return size if min(size) > 0 else None  # some tools write 0 for what they do not know


def listed_names(listing: Path) -> list[str]:
    """Stems of the images of one split, in order: the lines of a file, or a folder's xml."""
    if listing.is_dir():
        return sorted(path.stem for path in listing.glob("*.xml"))
    lines = listing.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def picture_name(stem: str, page: VocPage) -> str:
    """The image of an xml: its stem, with the ending that the xml names."""
    return stem + (PurePath(page.filename or "").suffix or ".jpg")
