"""From a folder of one format to a folder of another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.document import Document
from detcore.datasets.formats.folder import FolderFormat
from detcore.datasets.formats.read import ReadOptions, read_folder
from detcore.datasets.formats.recognise import recognise
from detcore.datasets.formats.write import divide, place_images, write_coco, write_yolo
from detcore.errors import AnnotationError, OptionError, check_option

TARGETS = ("coco", "yolo")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a folder is converted."""

    source_format: str = "auto"  # a key of FORMATS, or "auto"
    target_format: str = "coco"
    images: str = "link"  # link, copy or none
    masks: bool = False  # to YOLO: polygons in place of boxes
    val_share: float = 0.0  # of the images of a folder that is not divided yet
    read: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did."""

    source: FolderFormat
    files: list[Path]  # annotation files that were written
    images: dict[str, int]  # split -> number
    objects: dict[str, int]
    left_out: FilterReport


def convert_folder(source: Path, target: Path, how: Conversion) -> Converted:
    """Convert the annotations of a folder, and bring its images along.

    Args:
        source: A folder of any known format.
        target: Folder to write to; COCO gets ``annotations/instances_SPLIT.json`` and a folder of
            images for each split, YOLO ``data.yaml``, ``images/SPLIT`` and ``labels/SPLIT``.
        how: Formats and options.

    Raises:
        AnnotationError: The folder is of another format, or an annotation is wrong.
        OptionError: An option is not one of its choices.
    """
    check_option("convert_folder", "target format", how.target_format, TARGETS)
    found = recognised_as(source, how.source_format)
    if target.resolve() == source.resolve():
        raise AnnotationError(f"{target}: source and target are one folder; choose another target")
    left_out = FilterReport()
    documents, folders = _read(found, how, left_out)
    target.mkdir(parents=True, exist_ok=True)
    if how.target_format == "coco":
        files = write_coco(documents, target)
    else:
        files = write_yolo(documents, target, how.masks, left_out)
    base = target / "images" if how.target_format == "yolo" else target
    for split, document in documents.items():
        place_images(document, folders[split], base / split, how.images)
    return Converted(
        source=found,
        files=files,
        images={split: len(document["images"]) for split, document in documents.items()},
        objects={split: len(document["annotations"]) for split, document in documents.items()},
        left_out=left_out,
    )


def recognised_as(source: Path, name: str) -> FolderFormat:
    """What a folder is, held to the format that the user names.

    Raises:
        AnnotationError: The folder is not of that format.
    """
    if name == "auto":
        return recognise(source)
    return recognise(source, only=name)


def _read(
    found: FolderFormat, how: Conversion, left_out: FilterReport
) -> tuple[dict[str, Document], dict[str, Path]]:
    documents = {}
    options = how.read
    for split in found.splits:
        documents[split] = read_folder(found, split, options, left_out)
        if not options.classes:
            # The classes of the first split come first in the others too.
            names = tuple(category["name"] for category in documents[split]["categories"])
            options = replace(options, classes=names)
    folders = {split: part.images for split, part in found.splits.items()}
    if "all" in documents:
        documents.setdefault("train", documents.pop("all"))
        folders.setdefault("train", folders.pop("all"))
    if how.val_share:
        if list(documents) != ["train"]:
            raise OptionError(
                f"a share of {how.val_share} to hold out, but {found.root} is divided already: "
                f"{', '.join(documents)}"
            )
        documents["train"], documents["val"] = divide(documents["train"], how.val_share)
        folders["val"] = folders["train"]
    return documents, folders
