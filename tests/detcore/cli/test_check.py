"""`detcore check`: every fault of a data set in one table, a page and a JSON file."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from detcore.apis.data_check import CheckOptions, check_folder
from detcore.cli.check import print_findings
from detcore.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A COCO folder of four good images, and its json."""
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, 5):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 48})
        annotations.append(
            {
                "id": number, "image_id": number, "category_id": 1, "bbox": [5, 5, 20, 20],
                "area": 400, "iscrowd": 0, "segmentation": [[5, 5, 25, 5, 25, 25, 5, 25]],
            }
        )  # fmt: skip
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "disc"}],
    }
    (root / "train.json").write_text(json.dumps(document))
    return root


def changed(folder: Path, change: Any) -> None:
    document = json.loads((folder / "train.json").read_text())
    change(document)
    (folder / "train.json").write_text(json.dumps(document))


def report(out: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((out / "check.json").read_text())
    return {fault["fault"]: fault for fault in content["faults"]}


def check(target: Path, out: Path, *extra: str) -> int:
    return main(["check", str(target), "--out", str(out), *extra])


def test_a_good_folder_passes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(folder, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "train: 4 images, 4 annotations, 1 categories" in said
    assert "0 errors, 0 warnings, 0 notes" in said
    assert report(tmp_path / "out") == {}


def test_a_terminal_of_80_columns_cuts_no_name(folder: Path) -> None:
    name = f"{'a-long-name-' * 4}.png"
    changed(folder, lambda document: document["images"][1].update(file_name=name))
    title, ledger = check_folder(folder, CheckOptions())
    text = io.StringIO()
    print_findings(Console(file=text, width=80, force_terminal=True), title, ledger)
    assert name in text.getvalue()
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue()).splitlines())) <= 80


def test_all_faults_are_found_at_once_counted_and_given_a_remedy(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = folder / "images" / "2.png"
    image.write_bytes(image.read_bytes()[:200])
    (folder / "images" / "3.png").unlink()

    def spoil(document: dict[str, Any]) -> None:
        annotations = document["annotations"]
        annotations += [{**annotations[0], "id": 10 + i} for i in range(9)]
        annotations[4]["bbox"] = [1, 2, 3]
        annotations[5]["bbox"] = [5, 5, 0, 9]
        annotations[6]["bbox"] = [500, 5, 9, 9]
        annotations[7]["category_id"] = 9
        annotations[8]["image_id"] = 99
        annotations[9]["id"] = 10
        annotations[10].update(bbox=[30, 30, 9, 9], segmentation=[[1, 2, 3, 4]])
        runs = {"size": [64, 48], "counts": [64 * 48]}
        annotations[11].update(bbox=[31, 30, 9, 9], segmentation=runs)
        document["images"][3]["width"] = 50

    changed(folder, spoil)
    assert check(folder, tmp_path / "out") == 1
    found = report(tmp_path / "out")
    assert {name: fault["count"] for name, fault in found.items()} == {
        "repeated id": 1,
        "unknown category": 1,
        "bad box": 1,
        "mask size": 1,
        "missing file": 1,
        "undecodable image": 1,
        "other size": 1,
        "unknown image": 1,
        "empty box": 1,
        "box outside": 1,
        "no polygon": 1,
        "repeated box": 1,  # the last copy of the first annotation
    }
    said = capsys.readouterr().out
    assert "7 errors, 5 warnings, 0 notes" in said
    assert "annotation 11 (1.png)" in said
    assert "on_bad_image='skip'" in said
    assert found["other size"]["examples"][0]["detail"].startswith(
        "64 x 48 pixels, annotated as 50"
    )


def test_the_page_needs_no_other_file_and_shows_the_worst(folder: Path, tmp_path: Path) -> None:
    changed(folder, lambda document: document["annotations"][0].update(bbox=[500, 5, 9, 9]))
    assert check(folder, tmp_path / "out") == 0
    page = (tmp_path / "out" / "check.html").read_text()
    assert page.count("<img ") == 1
    assert "data:image/jpeg;base64," in page
    assert "http" not in page
    assert "annotation 1 (1.png)" in page


def test_names_in_the_data_cannot_become_part_of_the_page(folder: Path, tmp_path: Path) -> None:
    script = "<script>alert(1)</script>"
    changed(folder, lambda document: document["images"][0].update(file_name=script))
    check(folder, tmp_path / "out")
    page = (tmp_path / "out" / "check.html").read_text()
    assert script not in page
    assert "&lt;script&gt;" in page


def test_a_config_is_checked_with_its_classes_and_all_its_sets(
    tiny_config: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tiny_config, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "train: 12 images" in said
    assert "val: 4 images" in said
    override = "data.train.classes=['disc','triangel','square','star','ring']"
    assert check(tiny_config, tmp_path / "out", "--cfg-options", override) == 1
    assert "'triangle'" in report(tmp_path / "out")["class missing"]["examples"][0]["detail"]
    override = "model.roi_head.bbox_head.num_classes=7"
    assert check(tiny_config, tmp_path / "out", "--cfg-options", override) == 1
    assert "is 7" in report(tmp_path / "out")["class settings"]["examples"][0]["detail"]


def test_a_missing_or_broken_annotation_file_is_one_of_the_findings(
    tiny_config: Path, tmp_path: Path
) -> None:
    missing = "data.train.ann_file=nowhere.json"
    assert check(tiny_config, tmp_path / "out", "--cfg-options", missing) == 1
    (fault,) = report(tmp_path / "out").values()
    assert "no such annotation file" in fault["examples"][0]["detail"]


def test_a_folder_of_another_format_is_read_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "yolo"
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(root / "images" / "a.png")
    (root / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.25\n0 0.5 0.5 0.25 0.25\n")
    assert check(root, tmp_path / "out") == 0
    assert "yolo" in capsys.readouterr().out
    assert report(tmp_path / "out")["repeated box"]["count"] == 1


def test_a_folder_without_data_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert check(tmp_path / "empty", tmp_path / "out") == 2
    assert "nothing of a known format" in capsys.readouterr().err


def test_files_outside_of_the_folder_are_not_opened(folder: Path, tmp_path: Path) -> None:
    changed(folder, lambda document: document["images"][0].update(file_name="../secret.png"))
    assert check(folder, tmp_path / "out") == 1
    found = report(tmp_path / "out")
    assert found["path outside"]["count"] == 1
    assert "../secret.png" not in str(found.get("missing file"))
