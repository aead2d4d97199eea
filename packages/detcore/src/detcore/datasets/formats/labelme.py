"""LabelMe's annotation files: json, one an image.

Coordinates are pixels, the first of which begins at 0. Rectangles are two opposite corners, circles
a centre and a point on the edge. Shapes of one label and one ``group_id`` are parts of one object.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.document import CocoDocument, Document
from detcore.datasets.formats.folder import Split, files_in, picture_size
from detcore.errors import AnnotationError

_CIRCLE_POINTS = 64


def read_labelme(split: Split, left_out: FilterReport) -> Document:
    """A folder of LabelMe files as a COCO document.

    Args:
        split: Where they stand.
        left_out: Counts shapes that are no region: points and lines.

    Raises:
        AnnotationError: A file is not LabelMe's.
    """
    document = CocoDocument()
    folder = split.annotations or split.images
    for path in files_in(folder, recursive=True):
        if path.suffix.lower() != ".json":
            continue
        content = _parse(path)
        if content is None:
            continue
        image = _image_of(content, path)
        size = _size(content) or picture_size(image)
        name = image.relative_to(split.images) if image.is_relative_to(split.images) else image
        image_id = document.add_image(name.as_posix(), *size)
        for label, shapes in _objects(content, path):
            _add(document, image_id, size, label, shapes, path, left_out)
    return document.as_dict()


def _parse(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AnnotationError(f"{path}: not valid json: {error}") from error
    return content if isinstance(content, dict) and "shapes" in content else None


def _image_of(content: Mapping[str, Any], path: Path) -> Path:
    """The image that a file names, or else the one beside it with its stem."""
    name = PureWindowsPath(str(content.get("imagePath") or "")).as_posix()
    if not name:
        return path.with_suffix(".jpg")
    named = path.parent / name
    return named if named.is_file() else path.parent / Path(name).name


def _size(content: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = content.get("imageWidth"), content.get("imageHeight")
    return (int(width), int(height)) if width and height else None


def _objects(
    content: Mapping[str, Any], path: Path
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    grouped: dict[Any, list[Mapping[str, Any]]] = {}
    for number, shape in enumerate(content["shapes"]):
        if not isinstance(shape, dict) or "label" not in shape or "points" not in shape:
            raise AnnotationError(f"{path}: shape {number} has no label or no points")
        group = shape.get("group_id")
        key = (number,) if group is None else (shape["label"], group)
        grouped.setdefault(key, []).append(shape)
    for shapes in grouped.values():
        yield str(shapes[0]["label"]), shapes


def _add(
    document: CocoDocument,
    image_id: int,
    size: tuple[int, int],
    label: str,
    shapes: list[Mapping[str, Any]],
    path: Path,
    left_out: FilterReport,
) -> None:
    polygons = []
    for shape in shapes:
        kind = shape.get("shape_type") or "polygon"
        points = np.array(shape["points"], dtype=np.float64).reshape(-1, 2)
        if kind == "mask":
            mask = _whole_mask(shape, points, size, path)
            document.add_mask(image_id, label, mask)
        elif kind == "rectangle" and len(shapes) == 1 and len(points) == 2:
            document.add_box(image_id, label, [*points.min(0), *points.max(0)])
        elif kind in ("polygon", "rectangle", "circle") and len(points) >= 2:
            outline = _outline(kind, points)
            if len(outline) >= 3:
                polygons.append(outline)
            else:
                left_out.count("shapes: polygon of fewer than three points", 1)
        else:
            left_out.count(f"shapes: {kind}, which encloses nothing", 1)
    if polygons:
        document.add_polygons(image_id, label, polygons)


def _outline(kind: str, points: np.ndarray) -> np.ndarray:
    if kind == "polygon":
        return points
    if kind == "rectangle":
        (x1, y1), (x2, y2) = points.min(0), points.max(0)
        return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    radius = np.hypot(*(points[1] - points[0]))
    angles = np.linspace(0, 2 * np.pi, _CIRCLE_POINTS, endpoint=False)
    return points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _whole_mask(
    shape: Mapping[str, Any], points: np.ndarray, size: tuple[int, int], path: Path
) -> np.ndarray:
    """(h, w) bool of a mask that is stored as a base64 png of its box."""
    try:
        content = base64.b64decode(shape["mask"])
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            inside = np.asarray(image).astype(bool)
    except (KeyError, TypeError, OSError, binascii.Error) as error:
        raise AnnotationError(f"{path}: a shape of type mask holds no png: {error}") from error
    whole = np.zeros((size[1], size[0]), dtype=bool)
    left, top = points.min(0).round().astype(int)
    region = whole[top : top + inside.shape[0], left : left + inside.shape[1]]
    region[:] = inside[: region.shape[0], : region.shape[1]]
    return whole
