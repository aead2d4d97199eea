"""The content of a COCO json as flat arrays, sliced per image."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detcore.datasets.segmentations import Segmentations


@dataclass(frozen=True, slots=True)
class CocoRecords:
    """The content of a COCO json; annotations are sorted by image, else in the file's order."""

    images: list[dict[str, Any]]  # as in the file, with "filename" added by `name_images`
    category_ids: list[Hashable]
    category_names: list[str]
    offsets: np.ndarray  # (I + 1,) int64: image i has the rows offsets[i]:offsets[i + 1]
    ids: np.ndarray | list[Hashable]  # (A,) of the annotations: int64, or a list of text
    categories: np.ndarray  # (A,) int64, positions in category_ids
    boxes: np.ndarray  # (A, 4) float64, x y width height in pixels
    areas: np.ndarray  # (A,) float64, square pixels
    crowd: np.ndarray  # (A,) bool
    ignore: np.ndarray  # (A,) bool
    segmentations: Segmentations
    left_out: dict[str, int]  # reason -> annotations that belong to nothing in the file
    category_records: list[dict[str, Any]]  # as in the file, in the order of category_ids
    unmasked: np.ndarray  # (A,) bool: the key segmentation is absent or null
    derived: dict[str, int]  # key -> annotations that lack it, so that a value was worked out

    @property
    def image_of(self) -> np.ndarray:
        """(A,) int64, the position of each annotation's image."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.offsets))

    def names_by_id(self) -> list[str]:
        """The names of the categories in the order of their ids, text after numbers."""
        pairs = zip(self.category_ids, self.category_names, strict=True)
        ordered = sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0]))
        return [name for _, name in ordered]

    def name_images(self, names: Sequence[str]) -> None:
        """Give every image its ``filename``."""
        for image, name in zip(self.images, names, strict=True):
            image["filename"] = name
