"""A COCO document of images that have no annotations, such as a test set's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvcore.fileio import load
from detcore.datasets.formats.folder import picture_size, pictures_in
from detcore.errors import AnnotationError


def unlabelled_document(images: str | Path, categories: str | Path) -> dict[str, Any]:
    """The images of one source with the categories of another, and no annotations.

    Args:
        images: A folder, all below it included, or a COCO json such as ``image_info_test-dev2017``.
        categories: A json with ``categories``, or one that is a list of them.

    Raises:
        AnnotationError: There are no images or no categories.
    """
    found = load(str(categories))
    found = found.get("categories") if isinstance(found, Mapping) else found
    if (
        not found
        or not isinstance(found, list)
        or not all(isinstance(each, Mapping) and "id" in each and "name" in each for each in found)
    ):
        raise AnnotationError(f"{categories}: has no list of categories with 'id' and 'name'")
    document: dict[str, Any] = {}
    if Path(images).is_dir():
        document["images"] = _images_below(Path(images))
    else:
        read = load(str(images))
        document |= {key: read[key] for key in ("info", "licenses", "images") if key in read}
    if not document.get("images"):
        raise AnnotationError(f"{images}: no images are in it")
    return {**document, "categories": found, "annotations": []}


def _images_below(folder: Path) -> list[dict[str, Any]]:
    entries = []
    for number, path in enumerate(sorted(pictures_in(folder, recursive=True)), 1):
        width, height = picture_size(path)
        name = path.relative_to(folder).as_posix()
        entries.append({"id": number, "file_name": name, "width": width, "height": height})
    return entries
