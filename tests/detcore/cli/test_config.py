"""`detcore config`: print, diff, list."""

from __future__ import annotations

from pathlib import Path

import pytest

from detcore.cli.main import main


def test_print_is_what_comes_without_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "mask_rcnn_r50_fpn_1x_coco"]) == 0
    alone = capsys.readouterr().out
    assert main(["config", "print", "mask_rcnn_r50_fpn_1x_coco"]) == 0
    assert capsys.readouterr().out == alone


def test_a_difference_is_one_line_a_key_and_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("lr = 0.1\nmodel = dict(depth=50, a=1)\nsteps = [dict(x=1), dict(x=2)]\n")
    other.write_text("lr = 0.1\nmodel = dict(depth=101)\nsteps = [dict(x=1), dict(x=3)]\n")
    assert main(["config", "diff", str(one), str(other)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "- model.a = 1",
        "- model.depth = 50",
        "+ model.depth = 101",
        "- steps.1.x = 2",
        "+ steps.1.x = 3",
    ]
    assert main(["config", "diff", str(one), str(one)]) == 0
    assert capsys.readouterr().out == ""


def test_a_list_holds_what_contains_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "list", "mask_rcnn/", "r101_fpn", "2x"]) == 0
    assert capsys.readouterr().out == "mask_rcnn/mask_rcnn_r101_fpn_2x_coco.py\n"


def test_a_difference_needs_two_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "diff", "mask_rcnn_r50_fpn_1x_coco"]) == 2
    assert "takes 2 config(s), not 1" in capsys.readouterr().err
