"""The sections of a report as HTML; an empty text where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from detcore.report import svg
from detcore.report.analyse import Report
from detcore.report.classes import FIGURES, ClassFigures, mean_of
from detcore.report.errors import EXPLAINED
from detcore.report.pictures import Picture
from detcore.report.series import Series
from detcore.report.verdicts import RECALLS

COLOURED_CURVES = 8  # classes whose precision-recall curve gets a colour; the others are faint


def curves_section(report: Report) -> str:
    """Losses, learning rate and scores over the steps of the run."""
    train, scores = report.curves.train, report.curves.scores
    losses = [series for name, series in train.items() if name.startswith("loss")]
    losses.sort(key=lambda series: series.name != "loss")
    percent = [series for name, series in scores.items() if _is_share(name, series)]
    charts = [
        ("Loss", losses, "loss"),
        ("Learning rate", list(report.curves.rates.values()), "lr"),
        ("Evaluation", percent, "score"),
    ]
    panels = [_panel(title, _chart(series, label)) for title, series, label in charts if series]
    return f'<div class="grid">{"".join(panels)}</div>' if panels else ""


def _is_share(name: str, series: Series) -> bool:
    return "mAP" in name and all(0 <= value <= 1 for value in series.values)


def _chart(series: Sequence[Series], label: str) -> str:
    thinned = [one.thinned() for one in series]
    lines = [svg.Line(one.name, one.steps, one.values) for one in thinned]
    return svg.line_chart(lines, x_label="iteration", y_label=label)


def classes_section(report: Report) -> str:
    """AP of every class, by size of object, with the threshold of its best F1."""
    classes = report.analysis.classes
    ranked = sorted(classes, key=lambda one: -(one.box_ap["AP"] or 0.0))
    known = [one for one in ranked if one.box_ap["AP"] is not None]
    bars = svg.bar_chart(
        [one.name for one in known],
        [float(one.box_ap["AP"] or 0.0) for one in known],
        label="box AP",
        high=1.0,
    )
    note = (
        "AP by COCO's rules, 100 detections an image. The threshold is the score at which F1 is "
        "largest at an overlap of 0.5, and precision and recall are those at that score."
    )
    return (
        f'<p class="note">{note}</p><div class="grid">{_panel("Box AP", bars)}'
        f"{_panel('Precision and recall at an overlap of 0.5', _precision_recall(classes))}</div>"
        f'<div class="panel" style="margin-top:1rem">{_class_table(classes)}</div>'
    )


def _precision_recall(classes: Sequence[ClassFigures]) -> str:
    known = [(one, one.curve) for one in classes if one.curve is not None]
    if not known:
        return "<p>no objects</p>"
    known.sort(key=lambda pair: -pair[0].objects)
    recalls = RECALLS.tolist()
    lines = []
    if len(known) > 1:
        mean = np.mean([curve for _, curve in known], axis=0).tolist()
        lines.append(svg.Line("mean of classes", recalls, mean))
    coloured = COLOURED_CURVES - len(lines)
    for i, (one, curve) in enumerate(known):
        lines.append(svg.Line(one.name, recalls, curve, faint=i >= coloured))
    return svg.line_chart(lines, x_label="recall", y_label="precision", y_range=(0.0, 1.0))


def _class_table(classes: Sequence[ClassFigures]) -> str:
    masks = any(one.mask_ap is not None for one in classes)
    header = ["class", "objects", *FIGURES, *(["mask AP"] if masks else [])]
    header += ["threshold", "F1", "precision", "recall"]
    rows = "".join(_class_row(one, masks) for one in classes)
    means = [_cell(mean_of(classes, name)) for name in FIGURES]
    means += [_cell(mean_of(classes, "AP", masks=True))] if masks else []
    total = f"<td>mean</td><td>{sum(one.objects for one in classes)}</td>"
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}"
        f'<tr class="mean">{total}{"".join(means)}<td></td><td></td><td></td><td></td></tr>'
        "</tbody></table>"
    )


def _class_row(one: ClassFigures, masks: bool) -> str:
    cells = [_cell(one.box_ap[name]) for name in FIGURES]
    if masks:
        cells.append(_cell(None if one.mask_ap is None else one.mask_ap["AP"]))
    best = one.threshold
    values = (None,) * 4 if best is None else (best.score, best.f1, best.precision, best.recall)
    cells += [_cell(value) for value in values]
    return f"<tr><td>{escape(one.name)}</td><td>{one.objects}</td>{''.join(cells)}</tr>"


def _cell(value: float | None) -> str:
    return f"<td>{'&ndash;' if value is None else f'{value:.3f}'}</td>"


def errors_section(report: Report) -> str:
    """Kinds of error, and what AP50 each one costs."""
    kinds = report.analysis.errors
    bars = svg.bar_chart(
        [kind.name for kind in kinds], [kind.gain for kind in kinds], label="gain in AP50"
    )
    rows = "".join(
        f"<tr><td>{kind.name}</td><td>{kind.count}</td><td>{kind.gain:+.3f}</td>"
        f'<td class="text">{EXPLAINED[kind.name]}</td></tr>'
        for kind in kinds
    )
    return (
        '<p class="note">What AP at an overlap of 0.5 would gain if one kind of error were put '
        "right and the others stayed (Bolya et al., TIDE, 2020). All scores count.</p>"
        f'<div class="grid">{_panel("Gain in AP50", bars)}<div class="panel"><table><thead><tr>'
        "<th>error</th><th>count</th><th>gain</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def confusion_section(report: Report) -> str:
    """What is taken for what."""
    found = report.analysis
    return (
        f'<p class="note">Rows are what is there, columns what was said, at scores from '
        f"{found.score_thr:.2f} on. The last row holds detections of nothing, the last column "
        "objects that were not found.</p>"
        + _panel(
            "",
            svg.heat_map(
                found.confusion,
                [*found.class_names, "nothing"],
                [*found.class_names, "not found"],
                label="confusion matrix",
            ),
        )
    )


def pictures_section(report: Report) -> str:
    """The worst and the best images."""
    found = report.analysis
    parts = []
    for title, pictures in (("Worst", found.pictures.worst), ("Best", found.pictures.best)):
        if pictures:
            figures = "".join(_figure(picture) for picture in pictures)
            parts.append(f'<h3 style="margin-top:1rem">{title}</h3>')
            parts.append(f'<div class="pictures">{figures}</div>')
    if found.pictures.unreadable:
        names = ", ".join(escape(name) for name in found.pictures.unreadable)
        parts.append(f'<p class="note">Not readable here: {names}</p>')
    legend = (
        f'<p class="note">At scores from {found.score_thr:.2f} on: '
        '<span class="key khit"></span>hit &ensp;<span class="key kwrong"></span>wrong &ensp;'
        '<span class="key kmissed"></span>missed</p>'
    )
    return legend + "".join(parts) if parts else ""


def _figure(picture: Picture) -> str:
    name = escape(picture.name)
    return (
        f'<figure><img src="{picture.data_uri}" alt="{name}"><figcaption><b>{name}</b><br>'
        f"{picture.hits} hit, {picture.wrong} wrong, {picture.missed} missed</figcaption></figure>"
    )


def reproduce_section(report: Report) -> str:
    """The commands, the surroundings and the config."""
    facts = report.facts
    parts = []
    if facts.commands:
        parts.append(f"<pre>{escape(chr(10).join(facts.commands))}</pre>")
    if facts.details:
        items = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
            for name, value in facts.details.items()
        )
        parts.append(f'<div class="panel"><dl>{items}</dl></div>')
    if facts.config_text:
        config = f"<pre>{escape(facts.config_text)}</pre>"
        parts.append(f"<details><summary>The whole config</summary>{config}</details>")
    parts.append(
        '<p class="note">The same figures: report.json, classes.csv, precision_recall.csv, '
        "confusion.csv, errors.csv and curves.csv beside this page.</p>"
    )
    return "".join(parts)


def _panel(title: str, body: str) -> str:
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    return f'<div class="panel">{heading}{body}</div>'
