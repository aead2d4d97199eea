"""Figures of every class: as a table for the log, as data for a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cvcore.fileio import atomic_write
from detcore.evaluation.coco import CocoFigures
from detcore.evaluation.table import text_table
from detcore.evaluation.voc_figures import ClassFigures

FILE_NAME = "class_figures.json"
ITEMS = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")


def coco_class_figures(found: CocoFigures, names: Sequence[str]) -> ClassFigures:
    """COCO's six figures of each class; nan where it has no objects of that kind."""
    return {name: dict(zip(ITEMS, _six(found, i), strict=True)) for i, name in enumerate(names)}


def _six(found: CocoFigures, label: int) -> list[float]:
    values = [
        found.average_precision(category=label),
        *(found.average_precision(t, category=label) for t in (0.5, 0.75)),
        *(found.average_precision(area=a, category=label) for a in ("small", "medium", "large")),
    ]
    return [math.nan if value < 0 else value for value in values]


def class_table(figures: ClassFigures, details: bool = False) -> str:
    """One row a class: its AP, or all of its figures.

    Args:
        figures: At least one class.
        details: Show every figure, not only the first.
    """
    items = list(next(iter(figures.values()), {}))
    shown = items if details else items[:1]
    rows = [[name, *(_text(values[item]) for item in shown)] for name, values in figures.items()]
    if details:
        return text_table(("category", *shown), rows)
    return text_table(("category", "AP"), rows, columns=min(3, -(-len(rows) // 10)))


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def write_class_figures(
    folder: str | Path, figures: Mapping[str, ClassFigures], **when: Any
) -> Path:
    """Write metric -> class -> figure as json into a folder; null stands for no objects.

    Args:
        folder: Made if it is not there.
        figures: Of one evaluation.
        when: What else the file says, such as ``epoch=3``.
    """
    plain = {
        metric: {
            name: {item: None if math.isnan(v) else round(v, 6) for item, v in values.items()}
            for name, values in classes.items()
        }
        for metric, classes in figures.items()
    }
    target = Path(folder) / FILE_NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        file.write(json.dumps({**when, **plain}, indent=1).encode())
    return target
