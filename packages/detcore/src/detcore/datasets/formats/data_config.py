"""Pieces of a config from a recognised folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from detcore.datasets.formats.folder import FolderFormat, Split, search_file
from detcore.errors import AnnotationError

_LVIS = re.compile(rb'"not_exhaustive_category_ids"')
_FILE_NAME = re.compile(rb'"file_name"')


def data_config(found: FolderFormat) -> dict[str, dict[str, Any]]:
    """``train``, ``val`` and ``test`` of a config's ``data``, all but the pipelines.

    Classes are left to the data: ``classes='auto'``. A folder without a split into training and
    validation gives ``train`` alone. ``test`` is the validation set where there is no other.

    Args:
        found: What `recognise` said.

    Raises:
        AnnotationError: The format has to be converted first; the command is named.
    """
    if found.name not in _SETTINGS:
        raise AnnotationError(
            f"{found.root}: {found.name} is not trained on directly; convert it first: "
            f"detcore convert data {found.root} {found.root}_coco"
        )
    splits = dict(found.splits)
    if "all" in splits:
        splits.setdefault("train", splits.pop("all"))
    if "val" not in splits and "test" in splits and "train" in splits:
        splits["val"] = splits["test"]
    if "train" not in splits:
        raise AnnotationError(
            f"{found.root}: no images to train on, only {', '.join(splits)}; name a folder or file "
            "after 'train'"
        )
    settings = {split: _SETTINGS[found.name](found, split, part) for split, part in splits.items()}
    data: dict[str, dict[str, Any]] = {}
    data |= {split: settings[split] for split in ("train", "val") if split in settings}
    if "val" in data:
        data["test"] = settings.get("test", data["val"])
    return {split: {**each, "classes": "auto"} for split, each in data.items()}


def _coco(found: FolderFormat, split: str, part: Split) -> dict[str, Any]:
    del found, split
    file = part.annotations or part.images
    kind = "CocoDataset"
    if search_file(file, _LVIS):
        # The first release names its images, the second gives their addresses.
        kind = "LVISV05Dataset" if search_file(file, _FILE_NAME) else "LVISV1Dataset"
    return {"type": kind, "ann_file": str(file), "img_prefix": str(part.images)}


def _yolo(found: FolderFormat, split: str, part: Split) -> dict[str, Any]:
    if part.annotations is None or not part.annotations.is_file():
        raise AnnotationError(
            f"{found.root}: there is no data.yaml with the class names; write one (train: "
            "images/train, val: images/val, names: [...]), or convert the folder: "
            f"detcore convert data {found.root} {found.root}_coco"
        )
    return {"type": "YOLODataset", "ann_file": str(part.annotations), "split": split}


def _voc(found: FolderFormat, split: str, part: Split) -> dict[str, Any]:
    del split
    annotations = part.annotations or part.images
    folders = {"img_subdir": part.images, "ann_subdir": annotations}
    below = {key: path.relative_to(found.root).as_posix() for key, path in folders.items()}
    return {
        "type": "XMLDataset",
        "ann_file": str(part.listing or annotations),
        "img_prefix": str(found.root),
        **{key: "" if path == "." else path for key, path in below.items()},
    }


_SETTINGS: Mapping[str, Callable[[FolderFormat, str, Split], dict[str, Any]]] = {
    "coco": _coco,
    "yolo": _yolo,
    "voc": _voc,
}
