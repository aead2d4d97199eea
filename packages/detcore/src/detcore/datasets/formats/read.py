"""A recognised folder as COCO documents, whatever its format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.cityscapes import read_cityscapes
from detcore.datasets.formats.cvat import read_cvat
from detcore.datasets.formats.document import CocoDocument, Document
from detcore.datasets.formats.folder import (
    FolderFormat,
    Split,
    files_in,
    picture_size,
    pictures_in,
)
from detcore.datasets.formats.labelme import read_labelme
from detcore.datasets.formats.open_images import OpenImagesBoxes, read_boxes, read_classes
from detcore.datasets.formats.voc import FIRST_PIXEL, listed_names, picture_name, read_page
from detcore.datasets.formats.yolo import (
    label_file_of,
    read_images,
    read_split,
    yolo_names_in,
)
from detcore.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a folder does not say itself."""

    classes: Sequence[str] = ()  # names in label order; by default the folder's own
    first_pixel: int = FIRST_PIXEL  # of VOC: what the xml calls the first pixel


def read_folder(
    found: FolderFormat,
    split: str,
    options: ReadOptions | None = None,
    left_out: FilterReport | None = None,
) -> Document:
    """One split of a folder as a COCO document; file names start from the split's images.

    Args:
        found: What `recognise` said.
        split: One of ``found.splits``.
        options: What the folder does not say itself.
        left_out: Counts what has no place in the document.

    Raises:
        AnnotationError: The folder has no such split, or its content is not of its format.
    """
    if split not in found.splits:
        raise AnnotationError(f"{found.root}: no split {split!r}; it has {', '.join(found.splits)}")
    report = FilterReport() if left_out is None else left_out
    return READERS[found.name](found, split, options or ReadOptions(), report)


Reader = Callable[[FolderFormat, str, ReadOptions, FilterReport], Document]


def _annotation_path(split: Split) -> Path:
    return split.annotations or split.images


def _coco(
    found: FolderFormat, split: str, options: ReadOptions, left_out: FilterReport
) -> Document:
    del options, left_out
    path = _annotation_path(found.splits[split])
    try:
        content: Document = json.loads(path.read_bytes())
    except ValueError as error:
        raise AnnotationError(f"{path}: not valid json: {error}") from error
    return content


def _yolo(
    found: FolderFormat, split: str, options: ReadOptions, left_out: FilterReport
) -> Document:
    del left_out
    part = found.splits[split]
    path = _annotation_path(part)
    if path.is_file():
        return read_split(path, split, part.images)
    images = list(pictures_in(part.images, recursive=True))
    labels = [label_file_of(image) for image in images]
    names = list(options.classes) or yolo_names_in(found.root, labels)
    return read_images(images, labels, names, part.images)


def _voc(found: FolderFormat, split: str, options: ReadOptions, left_out: FilterReport) -> Document:
    del left_out
    part = found.splits[split]
    folder = _annotation_path(part)
    document = CocoDocument(options.classes)
    for name in listed_names(part.listing or folder):
        path = folder / f"{name}.xml"
        page = read_page(path.read_bytes(), str(path))
        image = picture_name(name, page)
        image_id = document.add_image(image, *(page.size or picture_size(part.images / image)))
        for label, box, difficult in zip(page.names, page.boxes, page.difficult, strict=True):
            # COCO's readers leave out what is marked as ignored, as VOC's do with the difficult.
            more = {"ignore": 1} if difficult else {}
            document.add_box(image_id, label, box - options.first_pixel, **more)
    return document.as_dict()


def _open_images(
    found: FolderFormat, split: str, options: ReadOptions, left_out: FilterReport
) -> Document:
    del options
    part = found.splits[split]
    path = _annotation_path(part)
    names, label_of = _open_images_classes(found.root, path)
    boxes, unknown = read_boxes(path.read_text(encoding="utf-8"), str(path), label_of)
    left_out.count("annotations: of a class without a description", unknown)
    document = CocoDocument(names)
    for name, objects in boxes.items():
        _add_open_image(document, part.images, f"{name}.jpg", objects, names)
    return document.as_dict()


def _add_open_image(
    document: CocoDocument, folder: Path, name: str, objects: OpenImagesBoxes, names: Sequence[str]
) -> None:
    width, height = picture_size(folder / name)
    image_id = document.add_image(name, width, height)
    for label, (x1, y1, x2, y2), group in zip(
        objects.labels, objects.boxes, objects.groups, strict=True
    ):
        corners = (x1 * width, y1 * height, x2 * width, y2 * height)
        document.add_box(image_id, names[label], corners, iscrowd=int(group))


def _open_images_classes(root: Path, boxes: Path) -> tuple[list[str], dict[str, int]]:
    """Names of ``class-descriptions*.csv``; without it the machine ids themselves."""
    files = [p for p in files_in(root, recursive=True) if p.name.startswith("class-descriptions")]
    if files:
        return read_classes(files[0].read_text(encoding="utf-8"), str(files[0]))
    column = boxes.open(encoding="utf-8").readline().strip().split(",").index("LabelName")
    with boxes.open(encoding="utf-8") as lines:
        next(lines)
        names = sorted({line.split(",")[column] for line in lines if line.strip()})
    return names, {name: label for label, name in enumerate(names)}


def _images(
    found: FolderFormat, split: str, options: ReadOptions, left_out: FilterReport
) -> Document:
    del left_out
    folder = found.splits[split].images
    document = CocoDocument(options.classes)
    for path in pictures_in(folder, recursive=True):
        document.add_image(path.relative_to(folder).as_posix(), *picture_size(path))
    return document.as_dict()


def _of_split(read: Callable[[Split, FilterReport], Document]) -> Reader:
    """A reader that needs no more than the split."""
    return lambda found, split, options, left_out: read(found.splits[split], left_out)


READERS: Mapping[str, Reader] = {
    "coco": _coco,
    "yolo": _yolo,
    "voc": _voc,
    "cityscapes": _of_split(read_cityscapes),
    "labelme": _of_split(read_labelme),
    "cvat": _of_split(read_cvat),
    "openimages": _open_images,
    "images": _images,
}
