from __future__ import annotations

import pytest

from detcore.errors import OptionError
from detcore.evaluation import get_classes
from detcore.evaluation.table import text_table


def test_text_goes_left_and_figures_go_right() -> None:
    table = text_table(("name", "AP"), [("cat", 0.5), ("elephant", 12)])
    assert table.splitlines() == [
        "name     |    AP",
        "---------+------",
        "cat      | 0.500",
        "elephant |    12",
    ]


def test_long_tables_stand_side_by_side_down_the_columns() -> None:
    rows = [(str(i), i) for i in range(5)]
    lines = text_table(("n", "v"), rows, columns=2).splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert cells[0] == ["n", "v", "n", "v"]
    assert cells[2:] == [["0", "0", "3", "3"], ["1", "1", "4", "4"], ["2", "2", "", ""]]


def test_class_names_of_known_datasets() -> None:
    assert len(get_classes("coco")) == 80
    assert get_classes("coco")[:2] == ["person", "bicycle"]
    assert get_classes("voc07") == get_classes("pascal_voc")
    assert len(get_classes("voc")) == 20
    assert get_classes(["owl"]) == ["owl"]
    with pytest.raises(OptionError, match=r"'cocoa'; known are"):
        get_classes("cocoa")
