"""The faults that are looked for: how bad each is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    title: str
    severity: (
        str  # error: training stops; warning: left out of it, or misleading; note: good to know
    )
    remedy: str


_ANEW = "write or fetch the file again"
_LEFT_OUT = "training leaves it out; correct the box, or remove the annotation"
_DRAW = "training with masks leaves the object out; draw the mask again"

KINDS: dict[str, Kind] = {
    "unreadable annotations": Kind("annotation file cannot be read", ERROR, _ANEW),
    "missing part": Kind(
        "part of the file missing",
        ERROR,
        "COCO files hold lists of images, annotations, categories",
    ),
    "broken record": Kind("record that is not usable", ERROR, "give it the keys that COCO wants"),
    "repeated id": Kind("id used twice", ERROR, "number anew, as when merging files"),
    "repeated name": Kind("category name used twice", ERROR, "give each category its own name"),
    "class missing": Kind(
        "class of the config not in the file", ERROR, "set classes to names that the file has"
    ),
    "class settings": Kind(
        "classes and model disagree", ERROR, "set num_classes or classes as the message says"
    ),
    "unknown image": Kind(
        "annotation of an unknown image", WARNING, "left out; list the image or remove these"
    ),
    "unknown category": Kind(
        "annotation of an unknown category", ERROR, "add the category, or remove these"
    ),
    "bad box": Kind("box that is not four numbers", ERROR, "write [x, y, width, height] in pixels"),
    "empty box": Kind("width or height of zero or less", WARNING, _LEFT_OUT),
    "box outside": Kind("box outside its image", WARNING, _LEFT_OUT),
    "tiny box": Kind("box below one pixel", WARNING, _LEFT_OUT),
    "box over edge": Kind("box partly outside its image", NOTE, "the part inside is trained on"),
    "no area": Kind("area of zero", WARNING, "training leaves it out; write the area of the mask"),
    "missing keys": Kind("area or iscrowd missing", NOTE, "they are worked out from mask and box"),
    "missing mask": Kind(
        "object without segmentation", NOTE, "needed for masks only; or on_missing_mask='skip'"
    ),
    "bad segmentation": Kind(
        "segmentation that is none", ERROR, "write polygons [[x, y, ...]] or {size, counts}"
    ),
    "no polygon": Kind("no polygon of three points", WARNING, _DRAW),
    "mask size": Kind("run lengths not of the image's size", ERROR, "write the mask anew"),
    "ignored": Kind("marked as ignored", NOTE, "training leaves it out"),
    "crowd": Kind("crowd", NOTE, "training takes it neither as object nor as background"),
    "repeated box": Kind(
        "same class and box twice in an image", WARNING, "remove one, unless objects coincide"
    ),
    "no objects": Kind(
        "image without objects", NOTE, "filter_empty_gt=False trains on it as background"
    ),
    "no images": Kind("no image to train on", ERROR, "check ann_file, classes and filter_empty_gt"),
    "left out": Kind("left out by the dataset", WARNING, "training does not see it"),
    "class unused": Kind("category without objects", NOTE, "nothing can be learnt of it"),
    "small image": Kind(
        "image with a side below 32 pixels", WARNING, "training leaves it out; take larger ones"
    ),
    "path outside": Kind(
        "file name that leads out of the folder",
        ERROR,
        "set img_prefix, or allow_outside_root=True",
    ),
    "missing file": Kind(
        "image file missing", ERROR, "check img_prefix and data_root, or on_bad_image='skip'"
    ),
    "unusable file": Kind(
        "image file empty, not regular or not readable", ERROR, f"{_ANEW}, or on_bad_image='skip'"
    ),
    "undecodable image": Kind(
        "image that cannot be decoded", ERROR, f"{_ANEW}, or on_bad_image='skip'"
    ),
    "other size": Kind(
        "image of another size than annotated", ERROR, "put the right file there, or annotate again"
    ),
}
