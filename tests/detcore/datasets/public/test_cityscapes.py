from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detcore.datasets import CityscapesDataset
from detcore.errors import AnnotationError

NAME = "ulm/ulm_000000_000019_leftImg8bit.png"
CAR = 2  # its label


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of 100 x 60 with a car; a second one with a crowd of cars."""
    truth = np.full((60, 100), 7, dtype=np.int32)
    truth[10:40, 20:60] = 26000
    for name, ids in ((NAME, truth), (NAME.replace("19", "20"), truth // 1000)):
        path = tmp_path / "gtFine/val" / name.replace("leftImg8bit", "gtFine_instanceIds")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids.astype(np.uint16)).save(path)
    content = {
        "images": [
            {"id": 1, "file_name": NAME, "width": 100, "height": 60},
            {"id": 2, "file_name": NAME.replace("19", "20"), "width": 100, "height": 60},
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 26, "bbox": [20, 10, 40, 30], "area": 1200,
             "iscrowd": i - 1, "segmentation": [[20, 10, 60, 10, 60, 40, 20, 40]]}
            for i in (1, 2)
        ],
        "categories": [
            {"id": i, "name": name}
            for i, name in enumerate(CityscapesDataset.CLASSES, start=24)
        ],
    }  # fmt: skip
    (tmp_path / "val.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def dataset(folder: Path, test_mode: bool = True) -> CityscapesDataset:
    return CityscapesDataset(
        str(folder / "val.json"),
        [],
        img_prefix=str(folder / "leftImg8bit/val"),
        test_mode=test_mode,
    )


def results() -> list[tuple[list[np.ndarray], list[list[np.ndarray]]]]:
    mask = np.zeros((60, 100), dtype=bool)
    mask[10:40, 20:60] = True
    boxes = [np.zeros((0, 5), dtype=np.float32) for _ in range(8)]
    masks: list[list[np.ndarray]] = [[] for _ in range(8)]
    found = boxes.copy(), masks.copy()
    found[0][CAR] = np.array([[20, 10, 60, 40, 0.9]], dtype=np.float32)
    found[1][CAR] = [mask]
    return [found, found]


def test_images_of_crowds_alone_are_left_out_of_training(folder: Path) -> None:
    assert len(dataset(folder)) == 2
    assert [info["id"] for info in dataset(folder, test_mode=False).data_infos] == [1]


def test_both_metrics_say_that_a_perfect_detector_is_perfect(folder: Path) -> None:
    made = dataset(folder)
    figures = made.evaluate(results(), ["cityscapes", "segm"], logger="silent")
    assert (figures["mAP"], figures["AP@50"]) == (pytest.approx(1), pytest.approx(1))
    assert figures["segm_mAP"] == 1
    assert made.class_figures["cityscapes"]["car"] == {"AP": 1, "AP@50": 1}
    assert np.isnan(made.class_figures["cityscapes"]["bus"]["AP"])


def test_results_are_written_as_the_server_takes_them(folder: Path, tmp_path: Path) -> None:
    paths, temporary = dataset(folder).format_results(results(), str(tmp_path / "out"))
    assert temporary is None
    line = Path(paths[0]).read_text(encoding="utf-8").split()
    assert line[1:] == ["26", str(np.float32(0.9).item())]
    with Image.open(tmp_path / "out" / line[0]) as picture:
        assert np.asarray(picture).astype(bool).sum() == 1200


def test_missing_truth_and_missing_masks_are_named(folder: Path) -> None:
    boxes = [found for found, _ in results()]
    with pytest.raises(AnnotationError, match="needs masks"):
        dataset(folder).evaluate(boxes, "cityscapes", logger="silent")
    next((folder / "gtFine").rglob("*.png")).unlink()
    with pytest.raises(AnnotationError, match="no such file; the metric 'cityscapes' needs"):
        dataset(folder).evaluate(results(), "cityscapes", logger="silent")
