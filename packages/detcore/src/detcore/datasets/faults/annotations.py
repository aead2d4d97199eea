"""A COCO document, looked through record by record: nothing stops at the first fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvcore.errors import hint
from detcore.datasets.coco.columns import is_number, is_segmentation
from detcore.datasets.coco.source import is_box
from detcore.datasets.faults.ledger import Ledger
from detcore.datasets.image_files import is_outside, normalise_name
from detcore.datasets.segmentations import MIN_NUMBERS
from detcore.datasets.segmentations.run_lengths import covered_pixels
from detcore.datasets.transforms.load import join_path

MIN_SIDE = 32  # pixels; smaller images are left out of training
Record = Mapping[str, Any]


def examine_document(
    ledger: Ledger,
    where: str,
    document: Record,
    *,
    img_prefix: str | None = None,
    classes: Sequence[str] | None = None,
    allow_outside_root: bool = False,
) -> list[dict[str, Any]]:
    """Look through a COCO document.

    Args:
        ledger: Gets what is found.
        where: Name of the set, such as ``train``.
        document: The content of a COCO json, whatever it is.
        img_prefix: Folder of the images.
        classes: Class names of the config; by default all categories.
        allow_outside_root: File names may lead out of `img_prefix`.

    Returns:
        The usable records of images, with ``path`` added, of files that may be looked at.
    """
    look = _Look(ledger, where, img_prefix, allow_outside_root)
    parts = {key: look.part(document, key) for key in ("images", "annotations", "categories")}
    images = look.images(parts["images"])
    names = look.categories(parts["categories"])
    look.classes(names, classes)
    used = set(names.values()) if classes is None else set(classes)
    objects = look.annotations(parts["annotations"], images, names, used)
    look.what_is_unused(images, names, used, objects)
    ledger.totals[where] = {
        "images": len(parts["images"]),
        "annotations": len(parts["annotations"]),
        "categories": len(parts["categories"]),
    }
    return [image for image_id, image in images.items() if image_id not in look.outside]


class _Look:
    """One look through one document."""

    def __init__(
        self, ledger: Ledger, where: str, img_prefix: str | None, allow_outside_root: bool
    ) -> None:
        self.ledger = ledger
        self.where = where
        self.img_prefix = img_prefix
        self.allow_outside_root = allow_outside_root
        self.outside: set[Any] = set()  # ids of images whose names lead out of the folder

    def add(self, name: str, what: str, detail: str, **more: Any) -> None:
        self.ledger.add(self.where, name, what, detail, **more)

    def part(self, document: Record, key: str) -> list[Any]:
        value = document.get(key) if isinstance(document, Mapping) else None
        if isinstance(value, list):
            return value
        self.add("missing part", key, f"found {', '.join(map(repr, document)) or 'no keys'}")
        return []

    def records(self, part: str, records: list[Any], keys: Sequence[str]) -> dict[Any, Any]:
        """id -> record, of those that have all keys and an id of their own."""
        found: dict[Any, Any] = {}
        for number, record in enumerate(records):
            if not isinstance(record, dict):
                self.add("broken record", f"{part}[{number}]", f"{record!r:.60} is not an object")
                continue
            missing = [key for key in ("id", *keys) if record.get(key) is None]
            if missing or not isinstance(record["id"], int | str):
                detail = f"lacks {', '.join(missing)}" if missing else "its id is no number or text"
                self.add("broken record", f"{part}[{number}] (id {record.get('id')!r})", detail)
            elif record["id"] in found:
                self.add("repeated id", f"{part} {record['id']!r}", f"again in {part}[{number}]")
            else:
                found[record["id"]] = record
        return found

    def images(self, records: list[Any]) -> dict[Any, dict[str, Any]]:
        images = self.records("images", records, ("file_name", "width", "height"))
        for image_id, image in list(images.items()):
            size = (image["width"], image["height"])
            if not all(is_number(side) and side > 0 for side in size):
                self.add("broken record", f"image {image_id!r}", f"its size is {size}")
                del images[image_id]
                continue
            name = normalise_name(str(image["file_name"]))
            images[image_id] = {**image, "path": join_path(self.img_prefix, name)}
            if not self.allow_outside_root and is_outside(name, self.img_prefix):
                self.outside.add(image_id)
                self.add("path outside", f"image {image_id!r}", str(image["file_name"]))
            if min(size) < MIN_SIDE:
                self.add("small image", str(image["file_name"]), f"{size[0]} x {size[1]} pixels")
        return images

    def categories(self, records: list[Any]) -> dict[Any, str]:
        found = self.records("categories", records, ("name",))
        names = {category_id: str(record["name"]) for category_id, record in found.items()}
        for name, count in Counter(names.values()).items():
            if count > 1:
                self.add("repeated name", name, f"of {count} categories")
        return names

    def classes(self, names: Mapping[Any, str], classes: Sequence[str] | None) -> None:
        known = list(names.values())
        for name in classes or ():
            if name not in known:
                self.add("class missing", str(name), hint(str(name), known).removeprefix("; "))

    def annotations(
        self,
        records: list[Any],
        images: Mapping[Any, dict[str, Any]],
        names: Mapping[Any, str],
        used: set[str],
    ) -> Counter:
        """Objects of each image and of each class: ``("image", id)`` and ``("class", name)``."""
        found = self.records("annotations", records, ("image_id", "category_id"))
        objects: Counter = Counter()
        boxes: set[tuple[Any, ...]] = set()
        for annotation_id, record in found.items():
            image = images.get(record["image_id"])
            name = f"annotation {annotation_id!r}"
            if image is None:
                self.add("unknown image", name, f"image_id {record['image_id']!r}")
                continue
            what = f"{name} ({image['file_name']})"
            if record["category_id"] not in names:
                self.add("unknown category", what, f"category_id {record['category_id']!r}")
            elif self.box(what, record, image) and self.mask(what, record, image):
                label = names[record["category_id"]]
                key = (record["image_id"], label, *record["bbox"])
                if key in boxes:
                    self.add(
                        "repeated box", what, f"{label} {record['bbox']}",
                        path=image["path"], box=record["bbox"],
                    )  # fmt: skip
                boxes.add(key)
                if label in used and not self.left_aside(what, record):
                    objects["image", record["image_id"]] += 1
                    objects["class", label] += 1
        return objects

    def box(self, what: str, record: Record, image: Record) -> bool:
        """Note what is wrong with the box; whether an object is left."""
        box = record.get("bbox")
        if not is_box(box):
            self.add("bad box", what, f"bbox is {box!r:.60}", path=image["path"])
            return False
        x, y, width, height = box  # type: ignore[misc]  # four numbers, as was just made sure of
        inside_x = min(x + width, image["width"]) - max(x, 0)
        inside_y = min(y + height, image["height"]) - max(y, 0)
        over = max(width - inside_x, height - inside_y)
        fault = None
        if min(width, height) <= 0:
            fault = "empty box"
        elif min(inside_x, inside_y) <= 0:
            fault = "box outside"
        elif min(width, height) < 1:
            fault = "tiny box"
        elif over > 1:  # rounding leaves many a box half a pixel over the edge
            fault = "box over edge"
        if fault is not None:
            detail = f"{box} in an image of {image['width']} x {image['height']}"
            self.add(fault, what, detail, path=image["path"], box=box)
        return fault in (None, "box over edge")

    def mask(self, what: str, record: Record, image: Record) -> bool:
        """Note what is wrong with mask and area; whether the object can be trained on as a box."""
        place = {"path": image["path"], "box": record["bbox"]}
        if record.get("area") is None or record.get("iscrowd") is None:
            missing = [key for key in ("area", "iscrowd") if record.get(key) is None]
            self.add("missing keys", what, ", ".join(missing))
        item = record.get("segmentation")
        if item is None:
            self.add("missing mask", what, "no segmentation", **place)
        elif not is_segmentation(item) or not _all_numbers(item):
            self.add("bad segmentation", what, f"{item!r:.60}", **place)
        elif isinstance(item, list):
            good = [p for p in item if len(p) >= MIN_NUMBERS and len(p) % 2 == 0]
            if not good:
                detail = f"numbers of its polygons: {[len(polygon) for polygon in item]}"
                self.add("no polygon", what, detail, **place)
        else:
            self.run_lengths(what, item, image, place)
        area = record.get("area")
        if is_number(area) and area <= 0:  # type: ignore[operator]
            self.add("no area", what, f"area is {area}", **place)
            return False
        return True

    def run_lengths(self, what: str, item: Record, image: Record, place: Any) -> None:
        counts, size = item["counts"], list(item["size"])
        if isinstance(counts, list):
            total = sum(counts)
        else:
            text = counts.encode("ascii", "replace") if isinstance(counts, str) else counts
            total = int(covered_pixels([text])[0])
        if size != [image["height"], image["width"]] or total != np.prod(size):
            detail = (
                f"size {size}, {total} pixels, in an image of height {image['height']} and width "
                f"{image['width']}"
            )
            self.add("mask size", what, detail, **place)

    def left_aside(self, what: str, record: Record) -> bool:
        """Whether training takes no object of it by the annotator's wish."""
        for key, name in (("ignore", "ignored"), ("iscrowd", "crowd")):
            if record.get(key):
                self.add(name, what, f"{key} is {record[key]!r}")
                return True
        return False

    def what_is_unused(
        self,
        images: Mapping[Any, dict[str, Any]],
        names: Mapping[Any, str],
        used: set[str],
        objects: Counter,
    ) -> None:
        for image_id, image in images.items():
            if not objects["image", image_id]:
                self.add(
                    "no objects", str(image["file_name"]), f"id {image_id!r}", path=image["path"]
                )
        for name in names.values():
            if name in used and not objects["class", name]:
                self.add("class unused", name, "no object")
        if not any(kind == "image" for kind, _ in objects):
            self.add("no images", self.where, f"0 of {len(images)} images show an object")


def _all_numbers(item: Any) -> bool:
    if isinstance(item, list):
        return all(is_number(number) for polygon in item for number in polygon)
    counts = item["counts"]
    return not isinstance(counts, list) or all(map(is_number, counts))
