from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from cvcore.errors import MissingExtraError
from detcore.datasets.transforms import Albu, Corrupt, InstaBoost
from detcore.errors import OptionError


@pytest.mark.parametrize(
    ("package", "make"),
    [
        ("albumentations", lambda: Albu(transforms=[])),
        ("imagecorruptions", lambda: Corrupt("gaussian_noise")({"img": None})),
        ("instaboostfast", InstaBoost),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_the_pip_line(
    package: str, make: Any
) -> None:
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(MissingExtraError, match=rf"'{package}' is not installed.*pip install"):
        make()


SHIFT = {"type": "Affine", "translate_px": {"x": (-30, 30), "y": (-20, 20)}, "p": 1.0}
FLIP = {"type": "HorizontalFlip", "p": 1.0}
BOXES = {"type": "BboxParams", "format": "pascal_voc", "min_visibility": 0.0}


def test_albumentations_moves_image_boxes_and_masks_alike(
    make_sample: Callable[..., dict[str, Any]], assert_aligned: Callable[[dict[str, Any]], None]
) -> None:
    pytest.importorskip("albumentations")
    keymap = {"img": "image", "gt_masks": "masks", "gt_bboxes": "bboxes", "gt_semantic_seg": "mask"}
    flip = Albu([FLIP], bbox_params={**BOXES, "filter_lost_elements": True}, keymap=keymap)
    sample = flip(make_sample())
    assert sample is not None
    # An image 80 wide: x becomes 80 - x.
    np.testing.assert_allclose(sample["gt_bboxes"], [[50, 10, 70, 20], [20, 5, 40, 45]], atol=1e-4)
    sample["gt_bboxes"] = sample["gt_bboxes"].round()
    assert_aligned(sample)


def test_what_albumentations_loses_goes_with_label_and_mask(
    make_sample: Callable[..., dict[str, Any]],
) -> None:
    pytest.importorskip("albumentations")
    crop = {"type": "Crop", "x_max": 35, "y_max": 50}  # the second box begins at 40
    options = {**BOXES, "filter_lost_elements": True}
    sample = Albu([crop], bbox_params=options, update_pad_shape=True)(make_sample(seg=False))
    assert sample is not None
    assert sample["gt_labels"].tolist() == [0]
    assert len(sample["gt_masks"]) == len(sample["gt_bboxes"]) == 1
    assert sample["img"].shape == sample["pad_shape"] == (50, 35, 3)
    nothing = {"type": "Crop", "x_max": 5, "y_max": 5}
    assert Albu([nothing], options, skip_img_without_anno=True)(make_sample(seg=False)) is None


def test_albumentations_keeps_labels_that_the_boxes_name(
    make_sample: Callable[..., dict[str, Any]],
) -> None:
    pytest.importorskip("albumentations")
    sample = Albu([FLIP], {**BOXES, "label_fields": ["gt_labels"]})(make_sample(seg=False))
    assert sample is not None
    assert sample["gt_labels"].tolist() == [0, 1]


def test_albumentations_draws_from_the_sample(make_sample: Callable[..., dict[str, Any]]) -> None:
    pytest.importorskip("albumentations")
    shift = Albu([SHIFT], bbox_params={**BOXES, "filter_lost_elements": True})

    def image(epoch: int) -> np.ndarray:
        with sample_randomness(0, epoch, 5):
            sample = shift(make_sample(seg=False))
        assert sample is not None
        return sample["img"]

    assert np.array_equal(image(0), image(0))
    assert not np.array_equal(image(0), image(1))


def test_an_unknown_transform_of_albumentations_is_named() -> None:
    pytest.importorskip("albumentations")
    with pytest.raises(OptionError, match="albumentations has no 'HorizontalFlop'"):
        Albu([{"type": "HorizontalFlop"}])


def test_corruptions_get_an_eight_bit_image(
    make_sample: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in: the real package needs OpenCV with windows, which servers lack.
    def corrupt(image: np.ndarray, corruption_name: str, severity: int) -> np.ndarray:
        assert image.dtype == np.uint8
        assert corruption_name == "fog"
        return image // severity

    monkeypatch.setitem(sys.modules, "imagecorruptions", SimpleNamespace(corrupt=corrupt))
    sample = make_sample()
    expected = sample["img"] // 2
    assert np.array_equal(Corrupt("fog", severity=2)(sample)["img"], expected)


def test_instaboost_is_given_annotations_and_its_answer_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A stand-in: the real package is built from C++ sources.
    def get_new_data(
        annotations: list[dict[str, Any]], image: np.ndarray, config: Any, background: Any
    ) -> tuple[list[dict[str, Any]], np.ndarray]:
        x, y, width, height = annotations[0]["bbox"]
        moved = {**annotations[0], "bbox": [x + 5, y, width, height]}
        lost = {**annotations[0], "bbox": [0, 0, 0, 0]}
        return [moved, lost], image + 1

    library = SimpleNamespace(InstaBoostConfig=lambda *options: options, get_new_data=get_new_data)
    monkeypatch.setitem(sys.modules, "instaboostfast", library)
    polygon = [[1, 2, 4, 2, 4, 6]]
    results = {
        "img": np.zeros((9, 9, 3), dtype=np.float32),
        "ann_info": {
            "bboxes": np.array([[1, 2, 4, 6]], dtype=np.float32),
            "labels": np.array([3]),
            "masks": [polygon],
        },
    }
    sample = InstaBoost(aug_ratio=1.0)(results)
    assert sample["ann_info"]["bboxes"].tolist() == [[6, 2, 9, 6]]
    assert sample["ann_info"]["labels"].tolist() == [3]
    assert sample["ann_info"]["masks"] == [polygon]
    assert sample["img"].dtype == np.float32
    assert (sample["img"] == 1).all()
