"""Class names of the well-known datasets, read from the package's text files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from detcore.errors import OptionError

_ALIASES = {
    "coco": "coco",
    "mscoco": "coco",
    "ms_coco": "coco",
    "voc": "voc",
    "pascal_voc": "voc",
    "voc07": "voc",
    "voc12": "voc",
    "cityscapes": "cityscapes",
    "wider_face": "wider_face",
    "WIDERFaceDataset": "wider_face",
    "WDIERFace": "wider_face",
}


def get_classes(dataset: str | Sequence[str]) -> list[str]:
    """Class names in label order, of a dataset's name; a sequence of names is given back.

    Raises:
        OptionError: the name is not known.
    """
    if not isinstance(dataset, str):
        return list(dataset)
    if dataset not in _ALIASES:
        raise OptionError(
            f"get_classes: no class names are stored for {dataset!r}; "
            f"known are {', '.join(sorted(_ALIASES))}"
        )
    return list(class_names(_ALIASES[dataset]))


@cache
def class_names(stem: str) -> tuple[str, ...]:
    """The lines of datasets/classes/`stem`.txt."""
    text = files("detcore").joinpath(f"datasets/classes/{stem}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
