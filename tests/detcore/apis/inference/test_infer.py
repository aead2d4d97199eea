"""A detector from its files, and its detections on pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from cvcore.image import imread
from detcore.apis import (
    async_inference_detector,
    inference_detector,
    init_detector,
    show_result_pyplot,
)
from detcore.errors import DetcoreError


@pytest.fixture(scope="module")
def detector(trained_run: Path) -> object:
    return init_detector(None, trained_run / "latest.pth", device="cpu")


def assert_equal_results(one: tuple, other: tuple) -> None:
    for boxes, others in zip(one[0], other[0], strict=True):
        np.testing.assert_allclose(boxes, others, atol=1e-4)
    for masks, others in zip(one[1], other[1], strict=True):
        assert all(np.array_equal(m, o) for m, o in zip(masks, others, strict=True))


def test_a_path_and_its_pixels_give_the_same(detector: object, scenes: Path) -> None:
    path = scenes / "images" / "val_00001.jpg"
    from_path = inference_detector(detector, str(path))
    assert len(from_path[0]) == 5
    assert_equal_results(from_path, inference_detector(detector, imread(path)))


def test_a_batch_gives_what_its_pictures_give_alone(detector: object, scenes: Path) -> None:
    paths = [scenes / "images" / f"val_0000{i}.jpg" for i in range(3)]
    batch = inference_detector(detector, paths)
    assert len(batch) == 3
    for path, result in zip(paths, batch, strict=True):
        assert_equal_results(result, inference_detector(detector, path))


def test_no_pictures_give_no_results(detector: object) -> None:
    assert inference_detector(detector, []) == []


def test_the_checkpoint_alone_gives_what_config_and_checkpoint_give(
    detector: object, trained_run: Path, tiny_config: Path, scenes: Path
) -> None:
    other = init_detector(tiny_config, trained_run / "latest.pth", device="cpu")
    photo = scenes / "images" / "val_00002.jpg"
    assert other.CLASSES == detector.CLASSES
    assert_equal_results(inference_detector(detector, photo), inference_detector(other, photo))


def test_the_async_form_gives_the_same(detector: object, scenes: Path) -> None:
    photo = scenes / "images" / "val_00003.jpg"
    result = asyncio.run(async_inference_detector(detector, photo))
    assert_equal_results(result, inference_detector(detector, photo))


def test_a_result_is_drawn_to_a_file(detector: object, scenes: Path, tmp_path: Path) -> None:
    photo = scenes / "images" / "val_00000.jpg"
    result = inference_detector(detector, photo)
    target = tmp_path / "pictures" / "out.png"
    drawn = show_result_pyplot(detector, str(photo), result, score_thr=0.0, out_file=target)
    assert np.array_equal(imread(target), drawn)
    assert not np.array_equal(drawn, imread(photo))


def test_without_config_and_checkpoint_there_is_an_error() -> None:
    with pytest.raises(DetcoreError, match="needs a config or a checkpoint"):
        init_detector(None)
