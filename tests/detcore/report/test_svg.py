"""Charts as SVG: well-formed, escaped, and with the marks where the numbers are."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from detcore.report import svg


def parse(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{text}</div>")


def points(root: ElementTree.Element) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        for line in root.iter("polyline")
    ]


def test_a_line_runs_from_corner_to_corner() -> None:
    root = parse(svg.line_chart([svg.Line("a", [0, 10], [0, 1])], x_label="x", y_label="y"))
    bottom, right = svg.HEIGHT - svg.BOTTOM, svg.WIDTH - svg.RIGHT
    assert points(root) == [[(svg.LEFT, bottom), (right, svg.TOP)]]


def test_names_are_escaped_and_stand_in_the_legend() -> None:
    lines = [svg.Line("<b>", [0, 1], [1, 2]), svg.Line("c&d", [0, 1], [2, 3])]
    root = parse(svg.line_chart(lines, x_label="x", y_label="y"))
    assert ["".join(item.itertext()) for item in root.iter("li")] == ["<b>", "c&d"]


def test_faint_lines_have_no_place_in_the_legend() -> None:
    lines = [svg.Line(name, [0, 1], [0, 1], faint=name == "c") for name in "abc"]
    root = parse(svg.line_chart(lines, x_label="x", y_label="y"))
    assert len(list(root.iter("li"))) == 2
    assert [line.attrib["class"] for line in root.iter("polyline")].count("faint") == 1


@pytest.mark.parametrize(("xs", "ys"), [([], []), ([5], [2.0]), ([1, 2], [0.0, 0.0])])
def test_charts_of_hardly_anything_are_charts(xs: list[float], ys: list[float]) -> None:
    text = svg.line_chart([svg.Line("a", xs, ys)], x_label="x", y_label="y")
    assert "nan" not in text
    assert parse(text).find("svg") is not None


def test_a_single_point_and_its_tick_stand_in_the_middle() -> None:
    root = parse(svg.line_chart([svg.Line("a", [75], [0.5])], x_label="x", y_label="y"))
    middle = (svg.LEFT + svg.WIDTH - svg.RIGHT) / 2
    (circle,) = root.iter("circle")
    assert float(circle.attrib["cx"]) == middle
    labels = [text for text in root.iter("text") if text.attrib["class"] == "tick middle"]
    assert [(float(label.attrib["x"]), label.text) for label in labels] == [(middle, "75")]


def test_bars_are_as_long_as_their_values() -> None:
    root = parse(svg.bar_chart(["a", "b"], [0.25, 0.5], label="AP", high=1.0))
    widths = [float(bar.attrib["width"]) for bar in root.iter("rect")]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.11)


def test_a_heat_map_shows_what_is_not_zero() -> None:
    matrix = np.array([[3, 0], [1, 2]])
    root = parse(svg.heat_map(matrix, ["a", "b"], ["a", "b"], label="m"))
    titles = [rect.findtext("title") for rect in root.iter("rect")]
    assert titles == [
        "a taken for a: 3 (100%)",
        "b taken for a: 1 (33%)",
        "b taken for b: 2 (67%)",
    ]


def test_a_heat_map_of_many_classes_stays_on_the_page() -> None:
    names = [f"class {i}" for i in range(81)]
    root = parse(svg.heat_map(np.eye(81), names, names, label="m"))
    width = float(root.find("svg").attrib["viewBox"].split()[2])
    assert width < 1000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.00043, [0, 1e-4, 2e-4, 3e-4, 4e-4, 5e-4]),
        (0, 880, [0, 200, 400, 600, 800, 1000]),
        (2, 2, [2, 2.5, 3, 3.5, 4]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(expected)
