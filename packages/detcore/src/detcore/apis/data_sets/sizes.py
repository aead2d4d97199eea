"""The sizes of a data set's images, read from their heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detcore.datasets.formats.folder import picture_size


def image_sizes(dataset: Any) -> list[dict[str, Any]]:
    """A ``filename`` and an ``ori_shape`` of (height, width, 3) for each image, in their order.

    That is what ``OpenImagesDataset(meta_file=...)`` reads. Sizes are those of the upright picture.

    Raises:
        DetcoreError: An image is missing, or none.
    """
    root = Path(dataset.img_prefix or "")
    metas = []
    for info in dataset.data_infos:
        width, height = picture_size(root / info["filename"])
        metas.append({"filename": info["filename"], "ori_shape": (height, width, 3)})
    return metas
