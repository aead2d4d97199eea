"""How the cost grows: one series a cause, a table and a plot each."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from scripts.benchmark import layers
from scripts.benchmark.inputs import Inputs
from scripts.benchmark.pairing import RowResult
from scripts.benchmark.process import ProbeError, Side
from scripts.benchmark.rows import OURS, REFERENCE, Figure, Row
from scripts.benchmark.running import measured
from scripts.benchmark.tables import number

MARKS = ("<!-- growth -->", "<!-- /growth -->")  # of the place in a document
FASTER = "faster_rcnn_r50_fpn_1x_coco"
CLASSES_KEY = "model__roi_head__bbox_head__num_classes"


@dataclass(frozen=True, slots=True)
class Series:
    """What grows, and what is measured of it.

    Args:
        title: Of the table and the plot.
        x_label: What grows.
        points: Its values.
        row: Makes the row of a value; the first of its figures is plotted.
        expected: What the growth should be, in words.
    """

    title: str
    x_label: str
    points: tuple[float, ...]
    row: Callable[[Inputs, float], Row]
    expected: str


def _images(inputs: Inputs, images: float) -> Row:
    row = layers.evaluation(inputs, int(images))
    return Row(
        f"COCO evaluation of {int(images):,} images",
        row.probe,
        {**row.arguments, "backends": ["pycocotools"]},
        (Figure("seconds", "s"),),
    )


def _boxes(inputs: Inputs, boxes: float) -> Row:
    name = f"training step, {int(boxes)} boxes an image"
    return layers.training_step(name, inputs.model(FASTER), (384, 512), boxes=int(boxes), steps=2)


def _classes(inputs: Inputs, classes: float, training: bool) -> Row:
    model = inputs.model(FASTER, **{CLASSES_KEY: int(classes)})
    if training:
        name = f"training step, {int(classes)} classes"
        return layers.training_step(name, model, (384, 512), steps=2, torchvision=False)
    return layers.inference(f"inference, {int(classes)} classes", model, (384, 512), steps=3)


def _pixels(inputs: Inputs, megapixels: float) -> Row:
    height, width = SIZES[megapixels]
    name = f"training step, one image of {height} x {width}"
    return layers.training_step(name, inputs.model(FASTER), (height, width), batch=1, steps=2)


def _processes(inputs: Inputs, processes: float) -> Row:
    model = inputs.model(FASTER)
    arguments = {"config": model.config, "checkpoint": model.checkpoint, "size": [256, 320]}
    return Row(
        f"training on {int(processes)} processes of one thread",
        "distributed",
        {**arguments, "processes": int(processes)},
        (Figure("images_a_second", "images/s", "", None, at_least=True),),
    )


SIZES = {h * w / 1e6: (h, w) for h, w in ((256, 256), (384, 512), (512, 672), (800, 1088))}
SERIES = {
    "images": Series(
        "COCO evaluation, 100 detections an image", "images", (500, 1000, 2000, 5000), _images,
        "linear",
    ),
    "boxes": Series(
        "Training step, Faster R-CNN R50, 384 x 512, batch 2", "boxes an image",
        (8, 100, 1000, 3000), _boxes,
        "nearly flat: only the overlaps of anchors with boxes grow, linearly",
    ),
    "classes": Series(
        "Training step, Faster R-CNN R50, 384 x 512, batch 2", "classes", (20, 80, 1200),
        partial(_classes, training=True), "nearly flat: two matrix products of the box head grow",
    ),
    "classes-inference": Series(
        "Inference, Faster R-CNN R50, 384 x 512", "classes", (20, 80, 1200),
        partial(_classes, training=False),
        "flat, then linear in the candidates (regions times classes) before suppression",
    ),
    "pixels": Series(
        "Training step, Faster R-CNN R50, batch 1", "megapixels", tuple(SIZES), _pixels,
        "linear, above what the box head costs whatever the size",
    ),
    "processes": Series(
        "Training, Faster R-CNN R50, 256 x 320, one image and thread a process", "processes",
        (1, 2), _processes, "linear in images a second, less the exchange of gradients",
    ),
}  # fmt: skip


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The slope between the ends on logarithmic axes: 0 is flat, 1 linear, 2 quadratic."""
    return math.log(ys[-1] / ys[0]) / math.log(xs[-1] / xs[0])


def medians(results: Sequence[RowResult], side: str) -> list[float]:
    """The first figure of every row; NaN where there is none."""
    found = []
    for result in results:
        values = sorted(result.series(result.row.figures[0], side)) if not result.trouble else []
        found.append(values[len(values) // 2] if values else math.nan)
    return found


def table(series: Series, results: Sequence[RowResult]) -> tuple[list[str], list[list[str]]]:
    """One line a point: the value, and how often it is that of the first point."""
    unit = results[0].row.figures[0].unit
    sides = [side for side in (OURS, REFERENCE) if any(side in r.values for r in results)]
    head = [series.x_label]
    for side in sides:
        head += [f"{side}, {unit}", "of the first"]
    body = []
    columns = {side: medians(results, side) for side in sides}
    for i, x in enumerate(series.points):
        cells = [number(x) if x % 1 else f"{x:.0f}"]
        for side in sides:
            y, first = columns[side][i], columns[side][0]
            cells += ["", ""] if math.isnan(y) else [number(y), f"{y / first:.2f}"]
        body.append(cells)
    return head, body


def plot(series: Series, results: Sequence[RowResult]) -> str:
    """The figure of both sides, and the straight line of a linear growth."""
    from scripts.benchmark.plots import chart

    from detcore.report.svg import Line

    lines = []
    for side in (OURS, REFERENCE):
        known = [
            (x, y)
            for x, y in zip(series.points, medians(results, side), strict=False)
            if not math.isnan(y)
        ]
        if known:
            lines.append(Line(side, [x for x, _ in known], [y for _, y in known]))
    return chart(lines, series.x_label, results[0].row.figures[0].unit, series.title)


def report(key: str, series: Series, results: Sequence[RowResult]) -> str:
    """A section of markdown: title, expectation, exponent, table and a link to the plot."""
    head, body = table(series, results)
    ys = medians(results, OURS)
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body])
    slope = (
        ""
        if any(map(math.isnan, ys))
        else f" Measured exponent: {exponent(series.points, ys):.2f}."
    )
    return (
        f"### {series.x_label.capitalize()}: {series.title}\n\n"
        f"Expected: {series.expected}.{slope}\n\n{rows}\n\n"
        f"![{series.title}](figures/growth-{key}.svg)\n"
    )


def inserted(document: str, text: str) -> str:
    """The document with ``text`` between its two marks.

    Raises:
        ProbeError: It lacks one of them.
    """
    before, opening, rest = document.partition(MARKS[0])
    _, closing, after = rest.partition(MARKS[1])
    if not closing:
        raise ProbeError(f"the document needs the lines {MARKS[0]} and {MARKS[1]}")
    return f"{before}{opening}\n{text.strip()}\n{closing}{after}"


def run(args: argparse.Namespace, inputs: Inputs, sides: Sequence[Side], console: Console) -> int:
    """Measure the series that are asked for; write tables and plots."""
    troubles = []
    sections = []
    for key in args.only or SERIES:
        series = SERIES[key]
        results = measured(_rows(series, inputs), _named(args, key), sides, console)
        troubles += [each.trouble for each in results if each.trouble]
        head, body = table(series, results)
        shown = Table(*head, title=series.title)
        for cells in body:
            shown.add_row(*cells)
        console.print(shown)
        sections.append(report(key, series, results))
        if args.figures is not None:
            args.figures.mkdir(parents=True, exist_ok=True)
            path = args.figures / f"growth-{key}.svg"
            path.write_text(plot(series, results), encoding="utf-8")
        if args.markdown is not None:
            args.markdown.write_text("\n".join(sections), encoding="utf-8")
        if args.document is not None:
            text = args.document.read_text(encoding="utf-8")
            args.document.write_text(inserted(text, "\n".join(sections)), encoding="utf-8")
    for trouble in troubles:
        console.print(trouble, style="red", markup=False)
    return 1 if troubles else 0


def _rows(series: Series, inputs: Inputs) -> Iterator[Row]:
    return (series.row(inputs, point) for point in series.points)


def _named(args: argparse.Namespace, key: str) -> argparse.Namespace:
    """The arguments with a JSON file of this series' own, and no table of rows."""
    out: Path | None = args.out
    own = None if out is None else out.with_name(f"{out.stem}-{key}{out.suffix}")
    return argparse.Namespace(**{**vars(args), "out": own, "markdown": None})
