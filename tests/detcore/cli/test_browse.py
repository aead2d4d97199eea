"""`detcore browse`: samples of the training set as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cvcore.image import imread
from detcore.apis.browse import browse, contact_sheet, without_formatting
from detcore.apis.config_files import read_config
from detcore.cli.main import main


def test_samples_and_a_sheet_are_written(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["browse", str(tiny_config), "--out", str(tmp_path), "--number", "5"]
    assert main(arguments) == 0
    pictures = sorted(tmp_path.glob("0*.jpg"))
    assert len(pictures) == 5
    # Three columns and two rows of 320 pixels, with gaps of 8.
    assert imread(tmp_path / "contact_sheet.jpg").shape == (2 * 328 + 8, 3 * 328 + 8, 3)
    assert "5 samples" in capsys.readouterr().out


def test_a_seed_and_an_epoch_choose_the_draws(tiny_config: Path) -> None:
    settings = read_config(tiny_config).data.train

    def pictures(seed: int, epoch: int) -> list[np.ndarray]:
        return [sample.picture for sample in browse(settings, 12, seed, epoch)]

    first, again, later = pictures(0, 0), pictures(0, 0), pictures(0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, later, strict=True))


def test_pictures_show_boxes_where_the_objects_are(tiny_config: Path) -> None:
    settings = read_config(tiny_config).data.train
    settings.pipeline = settings.pipeline[:2]  # loading alone
    (sample,) = browse(settings, 1, 0)
    plain = imread(Path(settings.data_root) / settings.img_prefix / f"{sample.name}.jpg")
    changed = (sample.picture != plain).any(axis=2)
    assert sample.num_objects > 0
    assert changed.any()
    assert not changed.all()


def test_wrapped_datasets_lose_their_formatting_inside_and_outside() -> None:
    steps = [{"type": "LoadImageFromFile"}, {"type": "Normalize"}, {"type": "Collect"}]
    inner = {"type": "CocoDataset", "pipeline": steps}
    outer = {"type": "MultiImageMixDataset", "dataset": inner, "pipeline": [{"type": "Mosaic"}]}
    changed = without_formatting([outer])[0]
    assert changed["dataset"]["pipeline"] == steps[:1]
    assert changed["pipeline"] == [{"type": "Mosaic"}]
    assert len(steps) == 3


def test_mixed_and_float_images_can_be_looked_at(tiny_config: Path, tmp_path: Path) -> None:
    train = read_config(tiny_config).data.train
    mixed = {
        "type": "MultiImageMixDataset",
        "dataset": {**train, "pipeline": [train.pipeline[0], {"type": "LoadAnnotations"}]},
        "pipeline": [
            {"type": "Mosaic", "img_scale": (96, 128)},
            {"type": "PhotoMetricDistortion"},
            {"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1]},
        ],
    }
    samples = list(browse(mixed, 2, 0))
    assert [sample.picture.shape for sample in samples] == [(192, 256, 3)] * 2
    assert all(sample.picture.dtype == np.uint8 for sample in samples)


def test_a_single_picture_makes_a_sheet() -> None:
    sheet = contact_sheet([np.zeros((10, 1000, 3), dtype=np.uint8)])
    assert sheet.shape == (336, 336, 3)
    # 1000 x 10 becomes 320 x 3, in the middle.
    assert (sheet == 0).all(axis=2).sum() == 320 * 3


def test_no_samples_is_an_error(tiny_config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", str(tiny_config), "--number", "0"]) == 2
    assert "at least one" in capsys.readouterr().err
