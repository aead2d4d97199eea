"""CVAT's files "for images": one xml of many images.

Coordinates are pixels, the first of which begins at 0. Masks are run lengths inside their box, row
by row, beginning with background.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.document import CocoDocument, Document
from detcore.datasets.formats.folder import Split
from detcore.datasets.formats.voc import parse_xml
from detcore.errors import AnnotationError

_REGIONS = ("box", "polygon", "mask")
_OTHERS = ("polyline", "points", "cuboid", "ellipse", "skeleton")


def read_cvat(split: Split, left_out: FilterReport) -> Document:
    """One CVAT file as a COCO document; classes in the order of its label list.

    Args:
        split: Where it stands.
        left_out: Counts shapes that are neither box nor polygon nor mask.

    Raises:
        AnnotationError: The file is of another kind, such as one for videos.
    """
    file = split.annotations or split.images
    root = parse_xml(Path(file).read_bytes(), str(file))
    if root.tag != "annotations" or root.find("track") is not None:
        raise AnnotationError(
            f"{file}: not a CVAT file for images; export the task as 'CVAT for images 1.1'"
        )
    names = [label.findtext("name") or "" for label in root.findall("meta//labels/label")]
    document = CocoDocument(name for name in names if name)
    for image in root.findall("image"):
        try:
            width, height = int(image.attrib["width"]), int(image.attrib["height"])
            image_id = document.add_image(image.attrib["name"], width, height)
            for shape in image:
                _add(document, image_id, (width, height), shape, left_out)
        except (KeyError, ValueError) as error:
            name = image.attrib.get("name", "?")
            raise AnnotationError(
                f"{file}: image {name!r}: {type(error).__name__}: {error}"
            ) from error
    return document.as_dict()


def _add(
    document: CocoDocument,
    image_id: int,
    size: tuple[int, int],
    shape: ElementTree.Element,
    left_out: FilterReport,
) -> None:
    kind, values = shape.tag, shape.attrib
    if kind == "box":
        corners = [float(values[key]) for key in ("xtl", "ytl", "xbr", "ybr")]
        document.add_box(image_id, values["label"], corners)
    elif kind == "polygon":
        points = [point.split(",") for point in values["points"].split(";")]
        document.add_polygons(image_id, values["label"], [np.array(points, dtype=np.float64)])
    elif kind == "mask":
        document.add_mask(image_id, values["label"], _mask(values, size))
    elif kind in _OTHERS:
        left_out.count(f"shapes: {kind}, which is none of {', '.join(_REGIONS)}", 1)


def _mask(values: dict[str, str], size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool."""
    left, top, width, height = (
        int(float(values[key])) for key in ("left", "top", "width", "height")
    )
    runs = np.array([int(run) for run in values["rle"].split(",")])
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    if len(inside) != width * height:
        raise ValueError(f"a mask of {width}x{height} has runs of {len(inside)} pixels in all")
    whole = np.zeros((size[1], size[0]), dtype=bool)
    whole[top : top + height, left : left + width] = inside.reshape(height, width)
    return whole
