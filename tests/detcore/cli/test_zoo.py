"""`detcore zoo`: what is shipped, and what a folder of configs lacks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from detcore.cli.main import main
from detcore.cli.zoo import print_titles

BASE = "_base_ = 'detcore::fcos/fcos_r50_caffe_fpn_gn-head_1x_coco.py'\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four configs: one that builds, two that cannot, one that cannot be read; and two bases."""
    files = {
        "good/fcos.py": BASE,
        "bad/neck.py": BASE + "model = dict(neck=dict(type='NoSuchNeck'))\n",
        "bad/key.py": BASE + "model = dict(bbox_head=dict(no_such_key=1))\n",
        "bad/code.py": "import os\nmodel = dict(type=os.name)\n",
        "good/data_only.py": "dataset_type = 'CocoDataset'\n",
        "_base_/model.py": "model = dict(type='NoSuchDetector')\n",
    }
    for name, text in files.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "configs"


def test_the_list_is_filtered_by_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "list", "mask_rcnn", "r50_fpn_1x"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [text for text in lines if text.startswith("mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py")]
    assert line.split(None, 1)[1].strip() == "Mask R-CNN, ResNet-50, FPN, 12 epochs."
    assert all("mask_rcnn" in text and "r50_fpn_1x" in text for text in lines[1:-1])
    assert lines[-1].endswith("configs")
    assert "_base_" not in "".join(lines)


def test_on_a_narrow_terminal_titles_stand_below_names_that_can_be_copied_whole() -> None:
    text = io.StringIO()
    name, title = f"fcos/{'x' * 60}.py", f"FCOS, {'y' * 40}"
    print_titles({name: title, "a.py": ""}, Console(file=text, width=80, force_terminal=True))
    assert text.getvalue().splitlines() == [name, f"    {title}", "a.py"]
    wide = io.StringIO()
    print_titles({name: title}, Console(file=wide, width=240))
    assert wide.getvalue().splitlines() == [f"{name}  {title}"]


def test_on_a_narrow_terminal_long_titles_are_folded_beneath_themselves() -> None:
    text = io.StringIO()
    titles = {"a.py": " ".join(["word"] * 30)}
    print_titles(titles, Console(file=text, width=80, force_terminal=True))
    assert text.getvalue().splitlines() == ["a.py", *["    " + " ".join(["word"] * 15)] * 2]


def test_a_folder_is_checked_and_every_reason_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    assert main(["zoo", "check", str(folder), "--out", str(out), "--each"]) == 0
    text = capsys.readouterr().out
    assert "1 of 4 configs are supported" in text
    assert "no NoSuchNeck" in text
    entries = {entry["config"]: entry for entry in json.loads(out.read_text())}
    assert set(entries) == {"good/fcos.py", "bad/neck.py", "bad/key.py", "bad/code.py"}
    good = entries["good/fcos.py"]
    assert good["supported"]
    assert good["detector"] == "FCOS"
    assert good["parameters"] > 30e6
    assert entries["bad/neck.py"]["unknown_types"] == ["NoSuchNeck"]
    assert "no_such_key" in entries["bad/key.py"]["problems"][0]
    assert "cannot be read" in entries["bad/code.py"]["problems"][0]
    assert not any(entries[f"bad/{name}.py"]["supported"] for name in ("neck", "key", "code"))


def test_a_folder_that_is_not_there_or_empty_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["zoo", "check", str(tmp_path / "none")]) == 2
    assert "not a folder" in capsys.readouterr().err
    assert main(["zoo", "check", str(tmp_path)]) == 2
    assert "holds no config" in capsys.readouterr().err
