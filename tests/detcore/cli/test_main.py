"""`detcore`: the verbs and what is said when there is none of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from detcore import __version__
from detcore.cli.main import VERBS, main


def test_the_overview_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"detcore {__version__}\n"


def test_a_misspelt_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "wrong", "right"), [("analyze", "lgos", "logs"), ("convert", "dat", "data")]
)
def test_a_misspelt_part_of_a_verb_is_answered_with_the_nearest(
    verb: str, wrong: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([verb, wrong])
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"no {wrong!r} here; nearest: {right!r}. There are: " in said


def test_of_an_unknown_option_its_value_is_not_taken_for_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "latest.pth", "photo.jpg", "--score-thrr", "0.1"])
    assert capsys.readouterr().err.endswith("unknown: --score-thrr; nearest: '--score-thr'\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([verb, "--help"])
    assert exit_info.value.code == 0
    assert "Example:" in capsys.readouterr().out


def test_config_prints_what_a_config_inherits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "mask_rcnn_r50_fpn_1x_coco", "--cfg-options", "optimizer.lr=0.5"]) == 0
    text = capsys.readouterr().out
    assert "type='MaskRCNN'" in text
    assert "lr=0.5" in text


def test_config_says_which_file_set_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "mask_rcnn_r50_fpn_1x_coco", "--origin", "model.backbone.depth"]) == 0
    assert Path(capsys.readouterr().out.strip()).name == "faster_rcnn_r50_fpn.py"
