"""Datasets annotated as PASCAL VOC is: one xml an image.

Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010.
Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.fileio import list_from_file
from detcore.datasets.base import CustomDataset
from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.formats.folder import picture_size
from detcore.datasets.formats.voc import FIRST_PIXEL, VocPage, listed_names, picture_name, read_page
from detcore.evaluation.class_names import class_names
from detcore.evaluation.voc_figures import VocRules
from detcore.registries import DATASETS


@DATASETS.register_module()
class XMLDataset(CustomDataset):
    """Images with one xml each, listed by name in a text file.

    ``ann_file`` lists the names without their endings, one a line; a folder of xml files takes all
    of them. Objects that are marked as difficult are ignored: neither learnt nor counted. Every
    xml is parsed once.

    Args:
        ann_file: The listing, or the folder of the xml files.
        pipeline: Transforms.
        min_size: In training, ignore boxes with a shorter side below this many pixels.
        img_subdir: Folder of the images below ``img_prefix``.
        ann_subdir: Folder of the xml files below ``img_prefix``.
        first_pixel: What the xml calls the first pixel: 1 as in VOC's own files, or 0.
        options: Further arguments of `CustomDataset`.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Any],
        min_size: int | None = None,
        img_subdir: str = "JPEGImages",
        ann_subdir: str = "Annotations",
        first_pixel: int = FIRST_PIXEL,
        **options: Any,
    ) -> None:
        self.min_size = min_size
        self.img_subdir = img_subdir
        self.ann_subdir = ann_subdir
        self.first_pixel = first_pixel
        super().__init__(ann_file, pipeline, **options)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """Read every xml; one dict an image."""
        if Path(ann_file).is_dir():
            names = listed_names(Path(ann_file))
        else:
            names = [line.strip() for line in list_from_file(ann_file) if line.strip()]
        pages = [self._page(name) for name in names]
        if self.CLASSES is None:
            self.CLASSES = sorted({name for page in pages for name in page.names})
        labels = {name: label for label, name in enumerate(self.CLASSES)}
        return [
            {**self._image(name, page), "id": name, "ann": self._objects(page, labels)}
            for name, page in zip(names, pages, strict=True)
        ]

    def _page(self, name: str) -> VocPage:
        path = "/".join(filter(None, [self.img_prefix, self.ann_subdir, f"{name}.xml"]))
        return read_page(self.file_client.get(path), path)

    def _image(self, name: str, page: VocPage) -> dict[str, Any]:
        filename = "/".join(filter(None, [self._folder(page), picture_name(name, page)]))
        size = page.size or picture_size(Path(self.img_prefix or "") / filename)
        return {"filename": filename, "width": size[0], "height": size[1]}

    def _folder(self, page: VocPage) -> str:
        """Folder of an image below ``img_prefix``."""
        return self.img_subdir

    def _objects(self, page: VocPage, labels: dict[str, int]) -> dict[str, np.ndarray]:
        found = np.array([labels.get(name, -1) for name in page.names], dtype=np.int64)
        known = found >= 0
        reason = "annotations: of a category that classes does not name"
        self.filter_report.count(reason, (~known).sum())
        empty = ((page.boxes[:, 2:] - page.boxes[:, :2]) <= 0).any(1)
        self.filter_report.count("annotations: area of zero", (empty & known).sum())
        known &= ~empty
        ignored = page.difficult.copy()
        self.filter_report.count("annotations: marked as difficult", (ignored & known).sum())
        if self.min_size and not self.test_mode:
            sides = page.boxes[:, 2:] - page.boxes[:, :2]
            small = (sides < self.min_size).any(1)
            reason = f"annotations: narrower or lower than min_size={self.min_size} pixels"
            self.filter_report.count(reason, (small & known & ~ignored).sum())
            ignored |= small
        boxes = (page.boxes - self.first_pixel).astype(np.float32)
        return {
            "bboxes": boxes[known & ~ignored],
            "labels": found[known & ~ignored],
            "bboxes_ignore": boxes[known & ignored],
            "labels_ignore": found[known & ignored],
        }


@DATASETS.register_module()
class VOCDataset(XMLDataset):
    """PASCAL VOC: twenty classes, evaluated as its own tool does.

    Widths count the last pixel, and if ``img_prefix`` names VOC2007, the average precision is the
    mean at eleven recalls. Arguments as of `XMLDataset`.
    """

    CLASSES = class_names("voc")
    PALETTE = distinct_colours(20)

    @property
    def year(self) -> int | None:
        """The edition that ``img_prefix`` names."""
        prefix = str(self.img_prefix)
        return next((year for year in (2007, 2012) if f"VOC{year}" in prefix), None)

    def _voc_rules(self) -> VocRules:
        return VocRules(eleven_points=self.year == 2007, legacy_coordinate=True)


@DATASETS.register_module()
class WIDERFaceDataset(XMLDataset):
    """WIDER Face with its annotations as xml, in folders by event; arguments as of `XMLDataset`."""

    CLASSES = class_names("wider_face")
    PALETTE = distinct_colours(1)

    def _folder(self, page: VocPage) -> str:
        return page.folder or ""
