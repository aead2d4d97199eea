"""Class names as a dataset's argument ``classes`` gives them."""

from __future__ import annotations

from collections.abc import Sequence

from detcore.datasets.classes.text_file import read_class_file
from detcore.errors import OptionError


def given_classes(
    dataset: str, classes: str | Sequence[str] | None, own: Sequence[str] | None
) -> Sequence[str] | None:
    """Class names in label order; None stands for those in the annotation file.

    Args:
        dataset: Its class, for messages.
        classes: The names, a text file of them, ``"auto"``, or None for the dataset's own.
        own: Those of the dataset's class.

    Raises:
        OptionError: It is none of these.
    """
    if classes is None:
        return own
    if isinstance(classes, str):
        return None if classes == "auto" else read_class_file(classes)
    if isinstance(classes, Sequence):
        return classes
    raise OptionError(
        f"{dataset}: classes={classes!r} should be a list of names or a text file; "
        "write a single class as ('name',)"
    )
