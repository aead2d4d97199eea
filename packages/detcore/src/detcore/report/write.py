"""A report on the disk: the page, and its figures as JSON and CSV beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cvcore.fileio import atomic_write
from detcore.report.analyse import Report
from detcore.report.classes import FIGURES
from detcore.report.page import render
from detcore.report.verdicts import RECALLS


def write_report(report: Report, folder: str | Path) -> Path:
    """Write ``index.html``, ``report.json`` and five tables; gives the path of the page.

    Each file takes the place of an older one only when it is complete.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": json.dumps(figures_of(report), indent=1)}
    texts |= {f"{name}.csv": _csv(*rows) for name, rows in _tables(report).items()}
    texts["index.html"] = render(report)
    for name, text in texts.items():
        with atomic_write(target / name, "w") as file:
            file.write(text)
    return target / "index.html"


def figures_of(report: Report) -> dict[str, Any]:
    """Every figure of the report in types that JSON has."""
    found = report.analysis
    return {
        "title": report.facts.title,
        "details": dict(report.facts.details),
        "scores": {
            name: value
            for name, value in report.scores.items()
            if isinstance(value, (int, float, str))
        },
        "num_images": found.num_images,
        "num_objects": found.num_objects,
        "num_detections": found.num_detections,
        "threshold": None if found.threshold is None else asdict(found.threshold),
        "classes": [asdict(one) for one in found.classes],
        "errors": [asdict(kind) for kind in found.errors],
        "confusion": {
            "score_thr": found.score_thr,
            "rows": [*found.class_names, "nothing"],
            "columns": [*found.class_names, "not found"],
            "counts": found.confusion.tolist(),
        },
        "worst": [picture.name for picture in found.pictures.worst],
        "best": [picture.name for picture in found.pictures.best],
    }


Table = tuple[Sequence[str], Iterable[Sequence[object]]]


def _tables(report: Report) -> dict[str, Table]:
    found, curves = report.analysis, report.curves
    mask_names = [f"mask {name}" for name in FIGURES]
    best = ("threshold", "F1", "precision", "recall")
    rows = zip([*found.class_names, "nothing"], found.confusion.tolist(), strict=True)
    return {
        "classes": (
            ("class", "objects", *FIGURES, *mask_names, *best),
            [_class_row(report, i) for i in range(len(found.classes))],
        ),
        "precision_recall": (
            ("class", "recall", "precision"),
            [
                (one.name, round(float(recall), 2), precision)
                for one in found.classes
                for recall, precision in zip(RECALLS, one.curve or (), strict=False)
            ],
        ),
        "confusion": (
            ("there \\ said", *found.class_names, "not found"),
            [(name, *counts) for name, counts in rows],
        ),
        "errors": (
            ("error", "count", "gain in AP50"),
            [(kind.name, kind.count, round(kind.gain, 4)) for kind in found.errors],
        ),
        "curves": (
            ("mode", "name", "step", "value"),
            [
                (mode, series.name, step, value)
                for mode, group in (
                    ("train", curves.train),
                    ("train", curves.rates),
                    ("val", curves.scores),
                )
                for series in group.values()
                for step, value in zip(series.steps, series.values, strict=True)
            ],
        ),
    }


def _class_row(report: Report, index: int) -> list[object]:
    one = report.analysis.classes[index]
    row: list[object] = [one.name, one.objects]
    for figures in (one.box_ap, one.mask_ap or dict.fromkeys(FIGURES)):
        row += ["" if figures[name] is None else figures[name] for name in FIGURES]
    best = one.threshold
    if best is None:
        return [*row, "", "", "", ""]
    return [*row, *(round(v, 4) for v in (best.score, best.f1, best.precision, best.recall))]


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
