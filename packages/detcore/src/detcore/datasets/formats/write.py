"""COCO documents as folders in COCO's or YOLO's format."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cvcore.fileio import atomic_write
from detcore.datasets.filters import FilterReport
from detcore.datasets.formats.document import Document
from detcore.errors import AnnotationError, OptionError, check_option

IMAGES = ("link", "copy", "none")


def write_coco(documents: Mapping[str, Document], root: Path) -> list[Path]:
    """Write ``annotations/instances_SPLIT.json`` for each split; gives the paths."""
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for split, document in documents.items():
        paths.append(folder / f"instances_{split}.json")
        with atomic_write(paths[-1]) as file:
            file.write(json.dumps(document, ensure_ascii=False).encode())
    return paths


def write_yolo(
    documents: Mapping[str, Document], root: Path, masks: bool, left_out: FilterReport
) -> list[Path]:
    """Write ``data.yaml`` and ``labels/SPLIT``; gives the path of the yaml.

    Numbers have ten significant digits, so that boxes come back to a ten-thousandth of a pixel.

    Args:
        documents: Split -> COCO document; all with the same categories.
        root: Folder to write to.
        masks: Write polygons where an object has them; a polygon's box is the one round it.
        left_out: Counts what YOLO's format has no place for: crowds, parts of objects.

    Raises:
        AnnotationError: The splits differ in their categories.
    """
    names = _common_names(documents)
    for split, document in documents.items():
        folder = root / "labels" / split
        objects = _by_image(document, left_out)
        labels = {c["id"]: i for i, c in enumerate(_sorted_categories(document))}
        for image in document["images"]:
            size = np.array([image["width"], image["height"]], dtype=np.float64)
            lines = [
                _line(labels[each["category_id"]], each, size, masks, left_out)
                for each in objects.get(image["id"], [])
            ]
            target = folder / PurePosixPath(image["file_name"]).with_suffix(".txt")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    yaml = root / "data.yaml"
    # JSON is YAML, and no name can break it.
    folders = [f"{split}: {json.dumps(f'images/{split}')}" for split in documents]
    entries = [f"  {i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(names)]
    yaml.write_text("\n".join([*folders, "names:", *entries, ""]), encoding="utf-8")
    return [yaml]


def _sorted_categories(document: Document) -> list[dict[str, Any]]:
    return sorted(document["categories"], key=lambda c: (isinstance(c["id"], str), c["id"]))


def _common_names(documents: Mapping[str, Document]) -> list[str]:
    named = {s: [c["name"] for c in _sorted_categories(d)] for s, d in documents.items()}
    first = next(iter(named))
    for split, names in named.items():
        if names != named[first]:
            raise AnnotationError(
                f"the categories of {split} ({', '.join(names[:5])}) are not those of {first} "
                f"({', '.join(named[first][:5])}); YOLO's format has one list for all splits"
            )
    return named[first]


def _by_image(document: Document, left_out: FilterReport) -> dict[Any, list[dict[str, Any]]]:
    objects: dict[Any, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        if annotation.get("iscrowd"):
            left_out.count("annotations: crowd", 1)
        elif annotation.get("ignore"):
            left_out.count("annotations: marked as ignored", 1)
        else:
            objects.setdefault(annotation["image_id"], []).append(annotation)
    return objects


def _line(
    label: int, annotation: dict[str, Any], size: np.ndarray, masks: bool, left_out: FilterReport
) -> str:
    segmentation = annotation.get("segmentation")
    if masks and isinstance(segmentation, list) and segmentation:
        parts = sorted(segmentation, key=len, reverse=True)
        if len(parts) > 1:
            left_out.count("polygons: smaller parts of objects in several", len(parts) - 1)
        values = (np.array(parts[0], dtype=np.float64).reshape(-1, 2) / size).reshape(-1)
    else:
        if masks and segmentation:
            left_out.count("masks: run lengths, written as boxes", 1)
        x, y, width, height = annotation["bbox"]
        box = np.array([x + width / 2, y + height / 2, width, height], dtype=np.float64)
        values = box / np.tile(size, 2)
    return " ".join([str(label), *(f"{value:.10g}" for value in values)])


def place_images(document: Document, source: Path, target: Path, how: str) -> int:
    """Bring the images of a document to a folder, under their names; gives how many there were.

    Args:
        document: Names them.
        source: Folder that the names start from now.
        target: Folder that they shall start from.
        how: ``"link"`` (symbolic), ``"copy"`` or ``"none"``.

    Raises:
        OptionError: `how` is none of these.
        AnnotationError: An image is missing, or its name leads out of the folder.
    """
    check_option("place_images", "how", how, IMAGES)
    if how == "none":
        return 0
    for image in document["images"]:
        name = str(image["file_name"])
        origin, place = source / name, target / name
        if Path(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise AnnotationError(f"{name}: an image's name may not lead out of {target}")
        if not origin.is_file():
            raise AnnotationError(
                f"{origin}: the image is missing; put it there, or use --images none"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or place.exists():
            if place.resolve() == origin.resolve():
                continue
            raise OptionError(
                f"{place}: there is another file of this name; choose an empty folder"
            )
        if how == "link":
            place.symlink_to(os.path.abspath(origin))  # noqa: PTH100  (resolve() follows links)
        else:
            shutil.copyfile(origin, place)
    return len(document["images"])


def divide(document: Document, share: float, seed: int = 0) -> tuple[Document, Document]:
    """Two documents of the same categories, the second with a share of the images.

    Args:
        document: What is divided.
        share: Between 0 and 1; at least one image goes to either side.
        seed: Decides which images.

    Raises:
        OptionError: The share is not between 0 and 1, or there is one image only.
    """
    images = document["images"]
    if not 0 < share < 1 or len(images) < 2:
        raise OptionError(f"a share of {share} of {len(images)} images leaves one side empty")
    number = min(max(round(share * len(images)), 1), len(images) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(images))[:number].tolist())
    return (
        _part(document, [image for i, image in enumerate(images) if i not in chosen]),
        _part(document, [image for i, image in enumerate(images) if i in chosen]),
    )


def _part(document: Document, images: Sequence[dict[str, Any]]) -> Document:
    ids = {image["id"] for image in images}
    annotations = [each for each in document["annotations"] if each["image_id"] in ids]
    return {**document, "images": list(images), "annotations": annotations}
