"""YOLO folders: ``data.yaml`` and one text file of labels an image.

A line of labels is ``class x y width height`` of a box, centre and size as fractions of the image,
or ``class x0 y0 x1 y1 ...`` of a polygon, also in fractions. The label file of
``.../images/a/1.jpg`` is ``.../labels/a/1.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.fileio import load
from detcore.datasets.formats.document import CocoDocument, Document
from detcore.datasets.formats.folder import Split, picture_size, pictures_in
from detcore.errors import AnnotationError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class YoloLabels:
    """Objects of one image; coordinates are fractions of its width and height."""

    classes: np.ndarray  # (n,) int64
    boxes: np.ndarray  # (n, 4) float64 x1 y1 x2 y2
    polygons: list[np.ndarray | None]  # n times (points, 2) float64; None for a plain box


def read_data_yaml(file: str | Path) -> tuple[list[str], dict[str, list[Path]]]:
    """Class names in label order, and the image folders (or listings) of each split.

    Paths start from ``path`` in the file, which starts from the folder of the file.

    Raises:
        AnnotationError: The file has no names, or the names are not a list or numbered from 0.
    """
    content = load(str(file))
    if not isinstance(content, Mapping):
        raise AnnotationError(f"{file}: not a YOLO data file: it should have names, train and val")
    names = _names(content, file)
    root = Path(file).parent / str(content.get("path") or "")
    if not root.is_dir():
        root = Path(file).parent
    splits = {}
    for split in SPLITS:
        value = content.get(split) or (content.get("valid") if split == "val" else None)
        if value:
            values = [value] if isinstance(value, str) else list(value)
            splits[split] = [_below(root, Path(file).parent, each) for each in values]
    return names, splits


def _below(root: Path, folder: Path, value: str) -> Path:
    """A path of the yaml; some tools write ``../train/images`` for a folder beside the file."""
    for candidate in (root / value, folder / value, folder / value.removeprefix("../")):
        if candidate.exists():
            return candidate
    return root / value


def _names(content: Mapping[str, Any], file: str | Path) -> list[str]:
    names = content.get("names")
    if isinstance(names, Mapping):
        if sorted(names) != list(range(len(names))):
            raise AnnotationError(
                f"{file}: the keys of names are {sorted(names)}; number the classes 0, 1, 2, ..."
            )
        names = [names[i] for i in range(len(names))]
    if names is None and isinstance(content.get("nc"), int):
        return [f"class {i}" for i in range(content["nc"])]
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise AnnotationError(f"{file}: no class names; write names: [cat, dog]")
    return [str(name) for name in names]


def yolo_splits(file: Path) -> dict[str, Split]:
    """The splits that a ``data.yaml`` names."""
    _, folders = read_data_yaml(file)
    return {split: Split(paths[0], file) for split, paths in folders.items()}


def images_of(path: Path) -> list[Path]:
    """Images of a folder, or those that a text file lists, one path a line.

    Raises:
        AnnotationError: There is no such folder or file.
    """
    if path.is_dir():
        return list(pictures_in(path, recursive=True))
    if not path.is_file():
        raise AnnotationError(f"{path}: no such folder of images; check the paths in data.yaml")
    lines = path.read_text(encoding="utf-8").split("\n")
    return [path.parent / line.strip() for line in lines if line.strip()]


def label_file_of(image: Path) -> Path:
    """Where the labels of an image stand: ``labels`` for the last ``images`` of its path."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def read_labels(file: Path, num_classes: int) -> YoloLabels:
    """The objects of one label file; an image without a file has none.

    Raises:
        AnnotationError: A line is not a class with a box or a polygon; its number is named.
    """
    if not file.is_file():
        return YoloLabels(np.zeros(0, np.int64), np.zeros((0, 4)), [])
    classes: list[int] = []
    boxes: list[np.ndarray] = []
    polygons: list[np.ndarray | None] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        label, values = _parse_line(line, f"{file}:{number}", num_classes)
        classes.append(label)
        if len(values) == 4:
            centre, size = values[:2], values[2:]
            boxes.append(np.concatenate([centre - size / 2, centre + size / 2]))
            polygons.append(None)
        else:
            points = values.reshape(-1, 2)
            boxes.append(np.concatenate([points.min(0), points.max(0)]))
            polygons.append(points)
    return YoloLabels(np.array(classes, dtype=np.int64), np.array(boxes).reshape(-1, 4), polygons)


def _parse_line(line: str, where: str, num_classes: int) -> tuple[int, np.ndarray]:
    fields = re.split(r"[\s,]+", line.strip())
    try:
        label, values = int(float(fields[0])), np.array(fields[1:], dtype=np.float64)
    except ValueError as error:
        raise AnnotationError(f"{where}: {error}; a line is a class and numbers") from None
    if not 0 <= label < num_classes:
        raise AnnotationError(
            f"{where}: class {label}, but data.yaml names {num_classes} (0 to {num_classes - 1})"
        )
    if len(values) == 5:
        values = values[:4]  # a confidence after the box, as detectors write it
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise AnnotationError(
            f"{where}: {len(values)} numbers after the class; a box has 4, a polygon 6 or more in "
            "pairs"
        )
    if not np.isfinite(values).all():
        raise AnnotationError(f"{where}: a coordinate is not a finite number")
    return label, values


def read_split(file: Path, split: str, images_root: Path) -> Document:
    """One split of a YOLO folder as a COCO document; boxes in pixels.

    Args:
        file: The ``data.yaml``.
        split: A key of it.
        images_root: File names of the images start from here.

    Raises:
        AnnotationError: The yaml has no such split, or a label file is wrong.
    """
    names, folders = read_data_yaml(file)
    if split not in folders:
        raise AnnotationError(f"{file}: no split {split!r}; it has {', '.join(folders) or 'none'}")
    images = [image for folder in folders[split] for image in images_of(folder)]
    return read_images(images, [label_file_of(image) for image in images], names, images_root)


def read_images(
    images: Sequence[Path], labels: Sequence[Path], names: Sequence[str], images_root: Path
) -> Document:
    """Images with their label files as a COCO document; boxes in pixels."""
    document = CocoDocument(names)
    for image, label_file in zip(images, labels, strict=True):
        width, height = picture_size(image)
        image_id = document.add_image(_relative(image, images_root), width, height)
        found = read_labels(label_file, len(names))
        for label, box, polygon in zip(found.classes, found.boxes, found.polygons, strict=True):
            if polygon is None:
                document.add_box(image_id, names[label], box * [width, height, width, height])
            else:
                document.add_polygons(image_id, names[label], [polygon * [width, height]])
    return document.as_dict()


def _relative(image: Path, root: Path) -> str:
    """The path from `root`, or the absolute one of an image elsewhere."""
    if image.is_relative_to(root):
        return image.relative_to(root).as_posix()
    return image.resolve().as_posix()


def yolo_names_in(root: Path, labels: Sequence[Path]) -> list[str]:
    """Class names of a folder without a yaml: those of ``classes.txt``, else numbers."""
    for path in (root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file():
            return [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line]
    highest = -1
    for path in labels:
        if path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            found = [line.split()[0] for line in lines if line.strip()]
            highest = max([highest, *(int(label) for label in found if label.isdigit())])
    return [f"class {i}" for i in range(highest + 1)]
