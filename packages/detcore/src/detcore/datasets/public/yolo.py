"""Folders in YOLO's format: ``data.yaml``, ``images`` and ``labels``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detcore.datasets.coco.dataset import CocoDataset
from detcore.datasets.coco.reader import CocoRecords, read_coco
from detcore.datasets.formats.yolo import read_split
from detcore.errors import check_option
from detcore.registries import DATASETS


@DATASETS.register_module()
class YOLODataset(CocoDataset):
    """One split of a YOLO folder: boxes, and masks where the labels are polygons.

    Class names are those of ``data.yaml`` unless ``classes`` chooses among them. Metrics are
    COCO's; an image has its position in the split, from 1, as its id.

    Args:
        ann_file: The ``data.yaml``.
        pipeline: Transforms.
        split: ``train``, ``val`` or ``test``: a key of the yaml.
        options: Further arguments of `CustomDataset`; ``img_prefix`` is the yaml's folder unless
            it is given.
    """

    CLASSES = None
    PALETTE = None

    def __init__(
        self, ann_file: str, pipeline: Sequence[Any], split: str = "train", **options: Any
    ) -> None:
        check_option("YOLODataset", "split", split, ("train", "val", "test"))
        self.split = split
        super().__init__(ann_file, pipeline, **options)

    def _read_records(self, ann_file: str) -> CocoRecords:
        if not self.img_prefix or self.img_prefix == self.data_root:
            self.img_prefix = str(Path(ann_file).parent)
        document = read_split(Path(ann_file), self.split, Path(self.img_prefix))
        return read_coco(document, ann_file)
