"""Cityscapes' ``*_gtFine_instanceIds.png`` files.

A pixel holds label id * 1000 + number of the instance, or the label id alone where the instances of
a region are not told apart; such a region becomes a crowd.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.document import CocoDocument, Document
from detcore.datasets.formats.folder import Split, files_in
from detcore.errors import AnnotationError
from detcore.evaluation.cityscapes import INSTANCE, LABEL_IDS

_IDS, _IMAGE = "_gtFine_instanceIds.png", "_leftImg8bit.png"


def read_cityscapes(split: Split, left_out: FilterReport) -> Document:
    """The instances of one split as a COCO document, masks as run lengths.

    Args:
        split: Where it stands.
        left_out: Counts images without a png of instances.

    Raises:
        AnnotationError: There is no png of instances at all.
    """
    if split.annotations is None:
        raise AnnotationError(f"{split.images}: Cityscapes needs the gtFine folder")
    names = {label_id: name for name, label_id in LABEL_IDS.items()}
    document = CocoDocument(LABEL_IDS)
    for path in files_in(split.annotations, recursive=True):
        if not path.name.endswith(_IDS):
            continue
        with Image.open(path, formats=("PNG",)) as image:
            ids = np.asarray(image).astype(np.int64)
        relative = path.relative_to(split.annotations).as_posix().replace(_IDS, _IMAGE)
        image_id = document.add_image(relative, ids.shape[1], ids.shape[0])
        if not (split.images / relative).is_file():
            left_out.count("images: missing, though their annotations are there", 1)
        for value in np.unique(ids).tolist():
            label_id = value // INSTANCE if value >= INSTANCE else value
            if label_id in names:
                crowd = int(value < INSTANCE)
                document.add_mask(image_id, names[label_id], ids == value, iscrowd=crowd)
    if not document.images:
        raise AnnotationError(f"{split.annotations}: no file ends in {_IDS}")
    return document.as_dict()
