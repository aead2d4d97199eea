from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageShow

from cvcore import image as I
from cvcore.errors import ConfigError

BLACK = np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize(
    ("color", "bgr"),
    [
        ("red", (0, 0, 255)),
        (I.Color.cyan, (255, 255, 0)),
        (7, (7, 7, 7)),
        ([1, 2, 3], (1, 2, 3)),
        (np.array([4, 5, 6], np.uint8), (4, 5, 6)),
    ],
)
def test_colours_by_name_level_or_numbers(color: object, bgr: tuple[int, ...]) -> None:
    assert I.color_val(color) == bgr


@pytest.mark.parametrize("color", ["purpel", [1, 2], 256, (0, 0, -1)])
def test_what_is_no_colour_is_named(color: object) -> None:
    with pytest.raises(ConfigError, match="colour"):
        I.color_val(color)


def test_each_set_of_boxes_has_its_colour(tmp_path: Path) -> None:
    sets = [np.array([[2.0, 3, 10, 12], [20, 20, 30, 30]]), np.array([[40, 5, 50, 15]])]
    file = tmp_path / "new" / "boxes.png"
    drawn = I.imshow_bboxes(BLACK, sets, ["red", "blue"], top_k=1, show=False, out_file=file)
    assert drawn[3, 5].tolist() == drawn[12, 10].tolist() == [0, 0, 255]
    assert drawn[5, 45].tolist() == [255, 0, 0]
    assert not drawn[20:, :].any()  # the second box of the first set is beyond top_k
    assert not drawn[4:12, 3:10].any()
    np.testing.assert_array_equal(I.imread(file), drawn)
    assert not BLACK.any()


def test_detections_above_the_threshold_have_box_and_name() -> None:
    boxes = np.array([[5.0, 20, 25, 35, 0.9], [35, 20, 55, 35, 0.2]])
    drawn = I.imshow_det_bboxes(
        BLACK,
        boxes,
        np.array([1, 0]),
        ["cat", "dog"],
        score_thr=0.3,
        bbox_color="green",
        text_color="yellow",
        show=False,
    )
    assert drawn[20, 15].tolist() == [0, 255, 0]
    assert not drawn[:, 57:].any()
    letters = drawn[8:19, 5:]
    assert letters[..., 2].max() > 100  # yellow has red, the box has none
    assert not drawn[..., 0].any()


def test_shapes_and_counts_must_fit() -> None:
    with pytest.raises(ConfigError, match="1 colors for 2 sets"):
        I.imshow_bboxes(BLACK, [np.zeros((0, 4))] * 2, ["red"], show=False)
    with pytest.raises(ConfigError, match="n labels"):
        I.imshow_det_bboxes(BLACK, np.zeros((2, 4)), np.zeros(1), show=False)
    with pytest.raises(ConfigError, match="score_thr"):
        I.imshow_det_bboxes(BLACK, np.zeros((1, 4)), np.zeros(1), score_thr=0.5, show=False)


def test_a_picture_is_given_to_the_viewer_in_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Image.Image] = []

    class Viewer(ImageShow.Viewer):
        def show(self, image: Image.Image, **options: object) -> int:
            seen.append(image)
            return 1

    monkeypatch.setattr(ImageShow, "_viewers", [Viewer()])
    blue = BLACK.copy()
    blue[..., 0] = 255
    I.imshow(blue, "blue")
    assert seen[0].getpixel((0, 0)) == (0, 0, 255)
    monkeypatch.setattr(ImageShow, "_viewers", [])
    with pytest.raises(ConfigError, match="out_file"):
        I.imshow_bboxes(BLACK, np.zeros((0, 4)))
