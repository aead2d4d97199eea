"""What a detector found, in the forms that other programs want."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from cvcore.image import imread
from detcore.apis.inference.predictions import Prediction, Predictions, file_names, prediction_of
from detcore.errors import DetcoreError

NAMES = ("cat", "dog")
CATS = np.array([[10, 20, 30, 60, 0.5], [0, 0, 10, 10, 0.1]], dtype=np.float32)
DOGS = np.array([[50, 40, 100, 80, 0.9]], dtype=np.float32)


@pytest.fixture
def prediction() -> Prediction:
    """A dog of 0.9 and a cat of 0.5 on a black picture of 100 x 80; a cat of 0.1 is left out."""
    image = np.zeros((80, 100, 3), dtype=np.uint8)
    return prediction_of(image, [CATS, DOGS], NAMES, score_thr=0.3, source="in/pets.webp")


@pytest.fixture
def masked() -> Prediction:
    image = np.zeros((80, 100, 3), dtype=np.uint8)
    dog = np.zeros((80, 100), dtype=bool)
    dog[40:80, 50:100] = True
    cat = coco_mask.encode(np.asfortranarray(~dog, dtype=np.uint8))
    return prediction_of(image, ([CATS, DOGS], [[cat, cat], [dog]]), NAMES, score_thr=0.3)


def test_objects_come_with_the_surest_first(prediction: Prediction) -> None:
    assert prediction.names == ["dog", "cat"]
    assert prediction.scores.tolist() == pytest.approx([0.9, 0.5])
    assert prediction.boxes.tolist() == [[50, 40, 100, 80], [10, 20, 30, 60]]
    assert str(prediction) == "1 dog, 1 cat"


def test_records_are_plain(prediction: Prediction) -> None:
    assert prediction.to_records()[1] == {"label": "cat", "score": 0.5, "box": [10, 20, 30, 60]}


def test_coco_has_width_and_height_and_the_ids_of_the_file(prediction: Prediction) -> None:
    dog, cat = prediction.to_coco(image_id=7, category_ids=[17, 18])
    assert (dog["image_id"], dog["category_id"], dog["bbox"]) == (7, 18, [50, 40, 50, 40])
    assert (cat["category_id"], cat["score"]) == (17, pytest.approx(0.5))
    assert [record["category_id"] for record in prediction.to_coco()] == [2, 1]


def test_yolo_lines_are_parts_of_the_picture(prediction: Prediction) -> None:
    # The cat: centre (20, 40), size (20, 40), of 100 x 80.
    assert prediction.to_yolo()[1] == "0 0.200000 0.500000 0.200000 0.500000"
    assert prediction.to_yolo(with_scores=True)[0].endswith(" 0.900000")


def test_masks_follow_their_boxes_whatever_form_they_come_in(masked: Prediction) -> None:
    assert masked.masks is not None
    assert masked.masks.shape == (2, 80, 100)
    assert masked.masks.sum((1, 2)).tolist() == [2000, 6000]  # dog 40 x 50; cat the rest
    assert masked.to_coco()[0]["segmentation"]["size"] == [80, 100]
    assert coco_mask.decode(masked.to_coco()[0]["segmentation"]).sum() == 2000


def test_masks_with_scores_of_their_own_are_read_too(masked: Prediction) -> None:
    dog = np.ones((80, 100), dtype=bool)
    result = ([CATS[:0], DOGS], ([[], [dog]], [np.zeros(0), np.array([0.7])]))
    again = prediction_of(masked.image, result, NAMES)
    assert again.masks is not None
    assert again.masks.all()


def test_proposals_are_objects_of_one_kind(prediction: Prediction) -> None:
    proposals = prediction_of(prediction.image, DOGS, NAMES)
    assert proposals.names == ["proposal"]


def test_a_result_without_boxes_is_refused(prediction: Prediction) -> None:
    with pytest.raises(DetcoreError, match="inference_detector"):
        prediction_of(prediction.image, {"pan_results": np.zeros((80, 100))}, NAMES)


def test_nothing_found_is_a_prediction_too(prediction: Prediction) -> None:
    empty = prediction_of(prediction.image, [CATS[:0], DOGS[:0]], NAMES)
    assert (len(empty), str(empty), empty.to_coco()) == (0, "nothing", [])
    assert np.array_equal(empty.plot(), prediction.image)


def test_one_picture_goes_to_a_file_and_several_to_a_folder(
    prediction: Prediction, tmp_path: Path
) -> None:
    one = Predictions([prediction])
    assert one.save(tmp_path / "new" / "out.png") == [tmp_path / "new" / "out.png"]
    assert np.array_equal(imread(tmp_path / "new" / "out.png"), prediction.plot())
    several = Predictions([prediction, prediction])
    assert [path.name for path in several.save(tmp_path)] == ["pets.png", "pets_2.png"]
    with pytest.raises(DetcoreError, match="2 pictures need a folder"):
        several.save(tmp_path / "both.jpg")


def test_several_predictions_are_one_coco_file(prediction: Prediction) -> None:
    records = Predictions([prediction, prediction]).to_coco(image_ids=[3, 5])
    assert [record["image_id"] for record in records] == [3, 3, 5, 5]


def test_names_of_files_come_from_their_sources() -> None:
    sources = ["a/x.JPG", "b/x.jpg", None, "https://host/y.png?size=2"]
    assert file_names(sources) == ["x.jpg", "x_2.jpg", "picture_2.png", "y.png"]


def test_supervision_gets_the_same_objects(masked: Prediction) -> None:
    supervision = pytest.importorskip("supervision")
    found = masked.to_supervision()
    assert isinstance(found, supervision.Detections)
    assert found.data["class_name"].tolist() == ["dog", "cat"]
    assert np.array_equal(found.xyxy, masked.boxes)
    assert np.array_equal(found.mask, masked.masks)
