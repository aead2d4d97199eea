"""A report as one page of HTML that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

from detcore.report import svg
from detcore.report.analyse import Report
from detcore.report.sections import (
    classes_section,
    confusion_section,
    curves_section,
    errors_section,
    pictures_section,
    reproduce_section,
)
from detcore.report.series import Series

# Nothing may be fetched and nothing may run: a page of figures needs neither.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NOTHING_TO_FIND = -1.0  # what an evaluation says where there is no object of a kind


def render(report: Report) -> str:
    """The whole page."""
    sections = [
        ("curves", "Training", curves_section(report)),
        ("classes", "Classes", classes_section(report)),
        ("errors", "Errors", errors_section(report)),
        ("confusion", "Confusion", confusion_section(report)),
        ("pictures", "Pictures", pictures_section(report)),
        ("reproduce", "Reproduce", reproduce_section(report)),
    ]
    shown = [(key, title, body) for key, title, body in sections if body]
    links = "".join(f'<a href="#{key}">{title}</a>' for key, title, _ in shown)
    bodies = "".join(
        f'<section id="{key}"><h2>{title}</h2>{body}</section>' for key, title, body in shown
    )
    title = escape(report.facts.title)
    header = f"<h1>{title}</h1><p>{_subtitle(report)}</p>{_cards(report)}<nav>{links}</nav>"
    return _document(title, header, bodies)


def chart_page(title: str, charts: Mapping[str, Mapping[str, Series]]) -> str:
    """A page of line charts alone.

    Args:
        title: Of the page.
        charts: Title of each chart to its lines, by name.
    """
    panels = "".join(
        f'<div class="panel"><h3>{escape(name)}</h3>{_lines(name, lines)}</div>'
        for name, lines in charts.items()
    )
    return _document(
        escape(title), f"<h1>{escape(title)}</h1>", f'<div class="grid">{panels}</div>'
    )


def _lines(name: str, lines: Mapping[str, Series]) -> str:
    thinned = {key: series.thinned() for key, series in lines.items()}
    drawn = [svg.Line(key, series.steps, series.values) for key, series in thinned.items()]
    return svg.line_chart(drawn, x_label="iteration", y_label=name)


def _document(title: str, header: str, main: str) -> str:
    style = files("detcore").joinpath("report/style.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head>\n"
        f"<body><header>{header}</header>\n<main>{main}</main></body></html>\n"
    )


def _subtitle(report: Report) -> str:
    found = report.analysis
    return (
        f"{found.num_images} images, {found.num_objects} objects of {len(found.class_names)} "
        f"classes, {found.num_detections} detections"
    )


def _cards(report: Report) -> str:
    numbers = [
        (name, "\N{EN DASH}" if value == NOTHING_TO_FIND else f"{value:.3f}")
        for name, value in report.scores.items()
        if isinstance(value, float)
    ]
    best = report.analysis.threshold
    if best is not None:
        numbers.append(("best F1, all classes", f"{best.f1:.3f}"))
        numbers.append(("score threshold of best F1", f"{best.score:.2f}"))
    return f'<div class="cards">{"".join(_card(*number) for number in numbers)}</div>'


def _card(name: str, value: str) -> str:
    return f'<div class="card"><b>{value}</b><span>{escape(name)}</span></div>'
