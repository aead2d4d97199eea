"""What is compared before any image is read: the model's classes with the dataset's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from detcore.errors import ClassMismatchError, check_option

# Parts whose `num_classes` counts something other than the classes of the boxes.
OTHER_COUNTS = ("rpn_head", "semantic_head", "backbone")


def check_num_classes(model: nn.Module, dataset: Any) -> None:
    """Compare every head's ``num_classes`` with the number of the dataset's classes.

    Raises:
        ClassMismatchError: They differ, or ``classes`` is one string (a comma is missing).
    """
    classes = getattr(dataset, "CLASSES", None)
    if classes is None:
        return
    if isinstance(classes, str):
        raise ClassMismatchError(
            f"classes = {classes!r} is one string, read as {len(classes)} names: "
            f"write ({classes!r},) with a comma"
        )
    for name, module in model.named_modules():
        if any(part in name.split(".") for part in OTHER_COUNTS) or "head" not in name:
            continue
        # Boxes and masks of regions are those of things, where the data tells them from stuff.
        regions = "roi_head" in name.split(".")
        number = len(getattr(dataset, "THING_CLASSES", classes) if regions else classes)
        num_classes = vars(module).get("num_classes")  # not a property that passes on a part's
        if isinstance(num_classes, int) and num_classes != number:
            raise ClassMismatchError(
                f"model.{name}.num_classes is {num_classes}, but the dataset has {number} "
                f"classes ({_some(classes)}): set model.{name}.num_classes={number} in the "
                f"config, or give the dataset the {num_classes} names with `classes`"
            )


def check_metrics(dataset: Any, wanted: str | Sequence[str] | None) -> None:
    """Whether the dataset can evaluate what is wanted, before any image goes through the model.

    A dataset says what it knows as ``METRICS``; one with an ``evaluate`` of its own and without
    ``METRICS`` beside it is left to say so itself.

    Raises:
        OptionError: It does not know a metric.
    """
    dataset = getattr(dataset, "dataset", dataset)  # of one whose samples are seeded
    kinds = type(dataset).__mro__
    owner = next((kind for kind in kinds if "evaluate" in vars(kind)), type(dataset))
    for name in [wanted] if isinstance(wanted, str) else wanted or ():
        if "METRICS" in vars(owner):
            check_option(
                f"{type(dataset).__name__}.evaluate", "metric", name, vars(owner)["METRICS"]
            )


def check_class_names(path: str, names: Any, classes: Any) -> None:
    """Compare the class names in a file with the dataset's, in their order.

    Raises:
        ClassMismatchError: They differ, so that labels would be counted as others.
    """
    if classes is not None and list(names or ()) != list(classes):
        raise ClassMismatchError(
            f"{path} finds {len(names or ())} classes ({_some(names or ())}), but the dataset has "
            f"{len(classes)} ({_some(classes)}); give the config it was exported with"
        )


def _some(classes: Any) -> str:
    names = [str(name) for name in classes]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
