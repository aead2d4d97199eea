"""Open Images' files: csv of boxes and labels, and the hierarchy of classes.

Boxes are fractions of the image's width and height; classes are named by machine ids such as
``/m/01g317``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detcore.errors import AnnotationError


@dataclass(slots=True)
class OpenImagesBoxes:
    """Objects of one image, collected row by row."""

    labels: list[int] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)  # x1 y1 x2 y2
    groups: list[bool] = field(default_factory=list)

    def add(self, label: int, box: tuple[float, float, float, float], group: bool) -> None:
        """Append one object."""
        self.labels.append(label)
        self.boxes.append(box)
        self.groups.append(group)

    def arrays(self) -> dict[str, np.ndarray]:
        """``bboxes`` (n, 4) float32, ``labels`` (n,) int64, ``gt_is_group_ofs`` (n,) bool."""
        return {
            "bboxes": np.array(self.boxes, dtype=np.float32).reshape(-1, 4),
            "labels": np.array(self.labels, dtype=np.int64),
            "gt_is_group_ofs": np.array(self.groups, dtype=bool),
        }


def read_table(text: str, file: str, columns: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    """Rows of a csv with a header.

    Raises:
        AnnotationError: A column is missing.
    """
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise AnnotationError(
            f"{file}: not a csv of Open Images: the column {missing[0]!r} is missing; it has "
            f"{', '.join(reader.fieldnames or ())}"
        )
    return iter(reader)


def read_classes(text: str, file: str) -> tuple[list[str], dict[str, int]]:
    """Names in label order, and machine id -> label.

    Each line is ``machine id,name``, in label order; the challenge's files add a third column with
    the label, from 1.

    Raises:
        AnnotationError: A line has fewer columns.
    """
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if any(len(row) < 2 for row in rows):
        raise AnnotationError(f"{file}: every line should be a machine id and a name")
    if rows and all(len(row) > 2 and row[2].strip().isdigit() for row in rows):
        rows.sort(key=lambda row: int(row[2]))
    return [row[1] for row in rows], {row[0]: label for label, row in enumerate(rows)}


def read_boxes(
    text: str, file: str, label_of: Mapping[str, int]
) -> tuple[dict[str, OpenImagesBoxes], int]:
    """Image id -> its objects, and how many are of other classes.

    Raises:
        AnnotationError: A column is missing or a number is none.
    """
    columns = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
    images: dict[str, OpenImagesBoxes] = {}
    unknown = 0
    for number, row in enumerate(read_table(text, file, columns), start=2):
        objects = images.setdefault(row["ImageID"], OpenImagesBoxes())
        label = label_of.get(row["LabelName"])
        if label is None:
            unknown += 1
            continue
        try:
            x1, y1, x2, y2 = (float(row[key]) for key in ("XMin", "YMin", "XMax", "YMax"))
        except ValueError as error:
            raise AnnotationError(f"{file}:{number}: {error}") from None
        objects.add(label, (x1, y1, x2, y2), row.get("IsGroupOf", "0") == "1")
    return images, unknown


def read_challenge_boxes(text: str, file: str) -> dict[str, OpenImagesBoxes]:
    """File name -> objects of the challenge's text file.

    An image is a line ``# number``, its file name, a line with its size, the number of its
    objects, and one line ``label x1 y1 x2 y2 group`` for each; labels begin at 1, coordinates are
    fractions.

    Raises:
        AnnotationError: A line is not what should stand there.
    """
    lines = [line.strip() for line in text.splitlines()]
    images: dict[str, OpenImagesBoxes] = {}
    at = 0
    try:
        while at < len(lines):
            if not lines[at] or lines[at].startswith("#"):
                at += 1
                continue
            objects = images.setdefault(lines[at], OpenImagesBoxes())
            count = int(lines[at + 2])
            at += 3
            for _ in range(count):
                label, x1, y1, x2, y2, group = lines[at].split()[:6]
                box = (float(x1), float(y1), float(x2), float(y2))
                objects.add(int(label) - 1, box, int(group) == 1)
                at += 1
    except (ValueError, IndexError) as error:
        raise AnnotationError(f"{file}:{at + 1}: {error}; see read_challenge_boxes") from error
    return images


def ancestors_of(hierarchy: Mapping[str, Any], label_of: Mapping[str, int]) -> np.ndarray:
    """(c, c) bool from the hierarchy's json; row i marks class i and every class above it."""
    matrix = np.eye(len(label_of), dtype=bool)
    waiting: list[tuple[Mapping[str, Any], list[int]]] = [(hierarchy, [])]
    while waiting:
        node, above = waiting.pop()
        label = label_of.get(str(node.get("LabelName")))
        if label is not None:
            matrix[label, above] = True
            above = [*above, label]
        waiting += [(child, above) for child in node.get("Subcategory", ())]
    return matrix
