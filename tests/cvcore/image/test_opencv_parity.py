"""Images against OpenCV's.

`tests/parity/opencv.npz` holds what OpenCV 4.10 makes of a crop of a photo. Its entries:
`image` (38, 50, 3) uint8 BGR, and per operation the result.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cvcore import image as I

FIGURES = np.load(Path(__file__).resolve().parents[2] / "parity" / "opencv.npz")
IMAGE = FIGURES["image"]
GREY = FIGURES["gray"]


def worst(mine: np.ndarray, theirs: np.ndarray) -> float:
    assert mine.shape == theirs.shape
    assert mine.dtype == theirs.dtype
    return float(np.abs(mine.astype(np.float64) - theirs).max())


@pytest.mark.parametrize("name", [name for name in FIGURES.files if name.startswith("resize/")])
def test_resizing_is_opencvs_to_one_grey_level(name: str) -> None:
    _, interpolation, size = name.split("/")
    width, height = map(int, size.split("x"))
    resized = I.imresize(IMAGE, (width, height), interpolation=interpolation)
    assert worst(resized, FIGURES[name]) <= (0 if interpolation == "nearest" else 1)


WARPS = {
    "rotate/fill": lambda: I.imrotate(IMAGE, 17.3, border_value=(10, 200, 30)),
    "rotate/scale": lambda: I.imrotate(IMAGE, -33, (20, 30), 1.3),
    "rotate/nearest": lambda: I.imrotate(IMAGE, 8, interpolation="nearest"),
    "rotate/bicubic": lambda: I.imrotate(IMAGE, 11, interpolation="bicubic"),
    "rotate/auto_bound": lambda: I.imrotate(IMAGE, 30, auto_bound=True),
    "rotate/replicate": lambda: I.imrotate(IMAGE, 30, border_mode="replicate"),
    "rotate/reflect": lambda: I.imrotate(IMAGE, 30, border_mode="reflect"),
    "rotate/reflect_101": lambda: I.imrotate(IMAGE, 30, border_mode="reflect_101"),
    "rotate/wrap": lambda: I.imrotate(IMAGE, 30, border_mode="wrap"),
    "shear/horizontal": lambda: I.imshear(IMAGE, 0.18, border_value=(128, 128, 128)),
    "shear/vertical": lambda: I.imshear(IMAGE, -0.27, "vertical"),
    "translate/whole": lambda: I.imtranslate(IMAGE, 20),
    "translate/part": lambda: I.imtranslate(IMAGE, -10.3, "vertical", border_value=7),
}
COLOURS = {
    "gray": lambda: I.bgr2gray(IMAGE),
    "hsv": lambda: I.bgr2hsv(IMAGE),
    "hsv2bgr": lambda: I.hsv2bgr(FIGURES["hsv"]),
    "hls2bgr": lambda: I.hls2bgr(FIGURES["hls"]),
    "sharpness": lambda: I.adjust_sharpness(IMAGE, 1.7),
    "color": lambda: I.adjust_color(IMAGE, 1.6),
    "clahe": lambda: I.clahe(GREY, 2.0),
    "clahe/7x9": lambda: I.clahe(GREY, 40.0, (7, 9)),
}


@pytest.mark.parametrize("name", [*WARPS, *COLOURS])
def test_warps_and_colours_are_opencvs_to_one_grey_level(name: str) -> None:
    assert worst((WARPS | COLOURS)[name](), FIGURES[name]) <= 1


def test_float_hue_saturation_and_value_are_opencvs() -> None:
    mine = I.bgr2hsv(IMAGE.astype(np.float32))[::6, ::7]
    np.testing.assert_allclose(mine, FIGURES["hsv_float"], atol=1e-4)


def test_hue_lightness_and_saturation_are_opencvs_round_the_circle() -> None:
    difference = np.abs(I.bgr2hls(IMAGE).astype(int) - FIGURES["hls"])
    difference[..., 0] = np.minimum(difference[..., 0], 180 - difference[..., 0])
    assert difference.max() <= 1


def test_turned_hues_are_opencvs_but_for_ties_of_rounding() -> None:
    difference = np.abs(I.adjust_hue(IMAGE, 0.2).astype(int) - FIGURES["hue"])
    assert difference.max() <= 4
    assert (difference > 1).mean() < 0.005
