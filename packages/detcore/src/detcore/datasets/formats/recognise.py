"""Which annotation format a folder holds, from the names in it and the beginnings of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path

from detcore.datasets.formats.folder import (
    PICTURES,
    FolderFormat,
    Split,
    files_in,
    pictures_in,
    search_file,
    split_of,
)
from detcore.errors import AnnotationError, check_option

Splits = Mapping[str, Split]
_LOOKED_AT = 50  # files of a folder that are opened before the next format is tried

_COCO_KEYS = [
    re.compile(rb'"' + key + rb'"\s*:\s*\[') for key in (b"images", b"annotations", b"categories")
]
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_LABELME = re.compile(rb'"shapes"\s*:\s*\[')
_NAMES = re.compile(rb"^\s*(names|nc)\s*:", re.MULTILINE)
_VOC = re.compile(rb"<annotation[\s>]")
_CVAT = re.compile(rb"<annotations[\s>]")


def recognise(folder: str | Path, only: str | None = None) -> FolderFormat:
    """Find out the format of a folder.

    Known are COCO (a json with images, annotations and categories; also one in each split's
    folder), YOLO (``data.yaml``, or ``images`` beside ``labels``), Cityscapes (``leftImg8bit``
    beside ``gtFine``), PASCAL VOC (xml of one image each), CVAT (xml of many images), LabelMe
    (json of one image each), Open Images (csv) and images alone.

    Args:
        folder: Its path.
        only: Look for this format alone.

    Raises:
        AnnotationError: There is no such folder, or nothing in it is of a known format.
    """
    if only is not None:
        check_option("recognise", "only", only, tuple(FORMATS))
    root = Path(folder)
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; give the folder that holds the data")
    wanted = {name: find for name, find in FORMATS.items() if only in (None, name)}
    for name, find in wanted.items():
        splits = find(root)
        if splits:
            return FolderFormat(name, root, splits)
    inside = ", ".join(sorted(path.name for path in islice(root.iterdir(), 10))) or "nothing"
    raise AnnotationError(
        f"{root}: nothing of a known format ({', '.join(wanted)}) and no images "
        f"({', '.join(PICTURES)}); it holds {inside}"
    )


def _cityscapes(root: Path) -> Splits:
    images, truth = root / "leftImg8bit", root / "gtFine"
    if not (images.is_dir() and truth.is_dir()):
        return {}
    folders = sorted(folder for folder in truth.iterdir() if folder.is_dir())
    return {
        split_of(folder.name) or folder.name: Split(images / folder.name, folder)
        for folder in folders
        if (images / folder.name).is_dir()
    }


def _yolo(root: Path) -> Splits:
    from detcore.datasets.formats.yolo import yolo_splits

    for path in _candidates([root], (".yaml", ".yml")):
        if search_file(path, _NAMES):
            return yolo_splits(path)
    labels = root / "labels"
    if (root / "images").is_dir() and labels.is_dir():
        return _beside(root, "labels", ".txt")
    return {}


def _beside(root: Path, name: str, suffix: str) -> Splits:
    """Splits of ``images/train`` and ``labels/train``, or of ``images`` and ``labels``."""
    images, labels = root / "images", root / name
    folders = [folder for folder in sorted(labels.iterdir()) if folder.is_dir()]
    splits = {
        split_of(folder.name) or folder.name: Split(images / folder.name, folder)
        for folder in folders
        if (images / folder.name).is_dir()
    }
    if splits:
        return splits
    return {"all": Split(images, labels)} if any(labels.glob(f"*{suffix}")) else {}


def _coco(root: Path) -> Splits:
    files = [
        path
        for path in _candidates(_near(root), (".json",))
        if sum(search_file(path, key) is not None for key in _COCO_KEYS) >= 2
    ]
    splits: dict[str, Split] = {}
    # "instances" before captions and keypoints of the same images, the plainer name before others.
    for path in sorted(files, key=lambda p: ("instances" not in p.name, len(p.name), p.name)):
        split = split_of(path.stem) or _split_below(root, path.parent)
        splits.setdefault(split, Split(_coco_images(path, root, split), path))
    if len(splits) > 1:
        splits.pop("all", None)
    return _in_order(splits)


def _coco_images(file: Path, root: Path, split: str) -> Path:
    """The folder in which the first image of a COCO json is found; the root if none has it."""
    found = search_file(file, _FILE_NAME)
    name = json.loads(found.group(1)) if found else ""
    folders = [
        *(folder for base in (root, root / "images", file.parent) for folder in [base]),
        *(
            folder
            for base in (root / "images", root)
            if base.is_dir()
            for folder in sorted(base.iterdir())
            if folder.is_dir()
        ),
    ]
    # Folders of the same split first: train2017 and val2017 may well share a name of a file.
    folders.sort(key=lambda folder: _split_below(root, folder) != split)
    for folder in folders:
        if name and (folder / name).is_file():
            return folder
    return root


def _voc(root: Path) -> Splits:
    kits = [root, *(folder for folder in sorted(root.iterdir()) if folder.is_dir())]
    for kit in kits:
        annotations = kit / "Annotations"
        if annotations.is_dir() and _first(annotations, ".xml", _VOC):
            images = kit / "JPEGImages" if (kit / "JPEGImages").is_dir() else kit
            return _voc_listings(kit, images, annotations)
    splits = {
        _split_below(root, folder): Split(folder, folder)
        for folder in _near(root)
        if _first(folder, ".xml", _VOC)
    }
    if list(splits) == ["all"]:
        folder = splits["all"].images
        images = next((p.parent for p in pictures_in(folder)), None) or next(
            (p.parent for p in pictures_in(root, recursive=True)), folder
        )
        return {"all": Split(images, folder)}
    return _in_order(splits)


def _voc_listings(kit: Path, images: Path, annotations: Path) -> Splits:
    lists = kit / "ImageSets" / "Main"
    splits = {}
    for name, stem in (("train", "trainval"), ("train", "train"), ("val", "val"), ("test", "test")):
        file = lists / f"{stem}.txt"
        if file.is_file():
            splits[name] = Split(images, annotations, file)
    return splits or {"all": Split(images, annotations)}


def _cvat(root: Path) -> Splits:
    splits = {}
    for folder in _near(root):
        file = _first(folder, ".xml", _CVAT)
        if file is not None:
            images = next((p for p in (folder / "images", root / "images") if p.is_dir()), folder)
            splits[split_of(file.stem) or _split_below(root, folder)] = Split(images, file)
    return _in_order(splits)


def _labelme(root: Path) -> Splits:
    splits = {
        _split_below(root, folder): Split(folder, folder)
        for folder in _near(root)
        if _first(folder, ".json", _LABELME)
    }
    return _in_order(splits)


def _open_images(root: Path) -> Splits:
    splits = {}
    for path in _candidates(_near(root), (".csv",)):
        with path.open(encoding="utf-8", errors="replace") as file:
            header = file.readline()
        if {"ImageID", "LabelName", "XMin", "YMax"} <= set(header.strip().split(",")):
            split = split_of(path.stem) or "all"
            names = (split, "validation") if split == "val" else (split, "images")
            folders = [base / n for base in (root, root / "OpenImages") for n in names]
            images = next((folder for folder in folders if folder.is_dir()), root)
            splits[split] = Split(images, path)
    return _in_order(splits)


def _images(root: Path) -> Splits:
    splits = {
        split: Split(folder, None)
        for folder in _near(root)
        if (split := _split_below(root, folder)) != "all"
        and any(pictures_in(folder, recursive=True))
    }
    if splits:
        return _in_order(splits)
    return {"all": Split(root, None)} if any(pictures_in(root, recursive=True)) else {}


# In the order in which they are tried: what is unmistakable comes first.
FORMATS: Mapping[str, Callable[[Path], Splits]] = {
    "cityscapes": _cityscapes,
    "coco": _coco,
    "yolo": _yolo,
    "voc": _voc,
    "cvat": _cvat,
    "labelme": _labelme,
    "openimages": _open_images,
    "images": _images,
}


def _split_below(root: Path, folder: Path) -> str:
    """What a folder's name says; the root's own name says nothing."""
    return "all" if folder == root else split_of(folder.name) or "all"


def _near(root: Path) -> list[Path]:
    """The folder, those inside it, and those inside ``annotations`` and ``images``."""
    inside = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    deeper = [
        p
        for folder in inside
        if folder.name.lower() in ("annotations", "images", "labels")
        for p in sorted(folder.iterdir())
        if p.is_dir()
    ]
    return [root, *inside, *deeper]


def _candidates(folders: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The first files of each folder with such a suffix."""
    return [
        path
        for folder in folders
        for path in islice(
            (path for path in files_in(folder) if path.suffix.lower() in suffixes), _LOOKED_AT
        )
    ]


def _first(folder: Path, suffix: str, pattern: re.Pattern[bytes]) -> Path | None:
    """The first of a folder's files with this suffix and content."""
    found = (path for path in _candidates([folder], (suffix,)) if search_file(path, pattern))
    return next(found, None)


def _in_order(splits: Splits) -> Splits:
    """Train, val, test, then others."""
    order = ("train", "val", "test")
    return {
        name: splits[name]
        for name in sorted(
            splits, key=lambda n: (n not in order, order.index(n) if n in order else 0)
        )
    }
