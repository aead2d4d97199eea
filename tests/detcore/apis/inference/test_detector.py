"""Three lines: load, predict, save."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cvcore.image import imread
from detcore import Detector
from detcore.apis import inference_detector
from detcore.errors import OptionError


@pytest.fixture(scope="module")
def detector(trained_run: Path) -> Detector:
    return Detector(trained_run / "latest.pth", device="cpu")


def test_three_lines_give_a_picture(trained_run: Path, scenes: Path, tmp_path: Path) -> None:
    model = Detector(str(trained_run / "latest.pth"))
    model.predict(str(scenes / "images" / "val_00000.jpg")).save(tmp_path / "out.png")
    assert imread(tmp_path / "out.png").shape == (96, 128, 3)


def test_it_finds_what_the_model_finds(detector: Detector, scenes: Path) -> None:
    photo = scenes / "images" / "val_00001.jpg"
    boxes, masks = inference_detector(detector.model, str(photo))
    (found,) = detector.predict(photo, score_thr=0.0)
    assert len(found) == sum(map(len, boxes))
    for label, rows in enumerate(boxes):
        assert np.array_equal(found.boxes[found.labels == label], rows[:, :4])
        for mask, expected in zip(found.masks[found.labels == label], masks[label], strict=True):
            assert np.array_equal(mask, expected)


def test_a_batch_finds_what_single_pictures_give(detector: Detector, scenes: Path) -> None:
    pattern = str(scenes / "images" / "val_*.jpg")
    alone = detector.predict(pattern, score_thr=0.1)
    together = detector.predict(pattern, score_thr=0.1, batch_size=3)
    assert len(alone) == len(together) == 4
    for one, other in zip(alone, together, strict=True):
        assert one.names == other.names
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)


def test_a_batch_is_really_one(
    detector: Detector, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def counted(model: object, pictures: list) -> object:
        sizes.append(len(pictures))
        return inference_detector(model, pictures)

    monkeypatch.setattr("detcore.apis.inference.detector.inference_detector", counted)
    detector.predict(str(scenes / "images" / "val_*.jpg"), batch_size=3)
    assert sizes == [3, 1]


def test_the_threshold_leaves_out_what_is_unsure(detector: Detector, scenes: Path) -> None:
    photo = scenes / "images" / "val_00000.jpg"
    everything = detector.predict(photo, score_thr=0.0)[0]
    middle = float(np.median(everything.scores))
    assert len(detector.predict(photo, score_thr=middle)[0]) == (everything.scores >= middle).sum()


def test_a_built_model_is_taken_too(detector: Detector, scenes: Path) -> None:
    photo = scenes / "images" / "val_00002.jpg"
    again = Detector(detector.model)
    assert again.class_names == ["disc", "triangle", "square", "star", "ring"]
    assert again.predict(photo)[0].names == detector.predict(photo)[0].names


def test_a_batch_of_none_is_refused(detector: Detector, scenes: Path) -> None:
    with pytest.raises(OptionError, match="batch_size"):
        detector.predict(scenes / "images", batch_size=0)


def test_the_package_is_imported_without_torch() -> None:
    code = "import sys, detcore; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
