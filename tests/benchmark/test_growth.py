"""Series of growing cost: exponents, tables, plots."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scripts.benchmark import growth
from scripts.benchmark.inputs import Inputs
from scripts.benchmark.pairing import RowResult
from scripts.benchmark.process import ProbeError
from scripts.benchmark.rows import OURS, REFERENCE, Figure, Row

SECONDS = Figure("seconds", "s")


def work(inputs: Inputs, x: float) -> Row:
    return Row(f"work {x}", "probe", {}, (SECONDS,))


SERIES = growth.Series("Work", "boxes", (10, 20, 40), work, "linear")


def results(mine: list[float], theirs: list[float]) -> list[RowResult]:
    made = []
    for x, a, b in zip(SERIES.points, mine, theirs, strict=True):
        values = {OURS: [{"seconds": a}], REFERENCE: [{"seconds": b}]}
        made.append(RowResult(work(Inputs(Path(), None), x), values))  # type: ignore[arg-type]
    return made


def test_the_exponent_of_a_power_is_the_power() -> None:
    assert growth.exponent([10, 20, 40], [3, 6, 12]) == pytest.approx(1)
    assert growth.exponent([10, 20, 40], [3, 12, 48]) == pytest.approx(2)
    assert growth.exponent([10, 20, 40], [5, 5, 5]) == 0


def test_a_table_tells_each_value_and_how_often_it_is_the_first() -> None:
    head, body = growth.table(SERIES, results([1, 2, 4], [2, 2, 3]))
    assert head == ["boxes", "ours, s", "of the first", "reference, s", "of the first"]
    assert body[2] == ["40", "4", "4.00", "3", "1.50"]


def test_a_point_that_failed_stays_empty() -> None:
    found = results([1, 2, 4], [2, 2, 3])
    found[1].failed = "killed"
    assert growth.table(SERIES, found)[1][1] == ["20", "", "", "", ""]
    assert math.isnan(growth.medians(found, OURS)[1])


def test_tables_go_between_the_marks_of_a_document() -> None:
    text = "a\n<!-- growth -->\nold\n<!-- /growth -->\nb\n"
    assert growth.inserted(text, "new\n") == "a\n<!-- growth -->\nnew\n<!-- /growth -->\nb\n"
    with pytest.raises(ProbeError, match="needs the lines"):
        growth.inserted("a\n<!-- growth -->\n", "new")


def test_a_plot_stands_alone_with_a_line_a_side() -> None:
    root = ElementTree.fromstring(growth.plot(SERIES, results([1, 2, 4], [2, 2, 3])))
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    lines = list(root.iter(f"{space}polyline"))
    assert len(lines) == 2
    assert all(len(line.attrib["points"].split()) == 3 for line in lines)
    words = {"".join(each.itertext()) for each in root.iter(f"{space}text")}
    assert {"Work", "boxes", "s", OURS, REFERENCE} <= words
