"""The libraries of the extra `fast` give the pixels that the own code gives, or step aside."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from cvcore.image import codec, fast, imfrombytes, imresize, jpeg
from cvcore.image.bilinear import resize_bilinear_uint8
from cvcore.image.jpeg import decode_jpeg


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No library of the extra is installed."""

    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    for library in (fast._opencv, fast._simplejpeg):
        library.cache_clear()
    yield
    for library in (fast._opencv, fast._simplejpeg):
        library.cache_clear()


def photograph(mode: str = "RGB", **options: object) -> bytes:
    """A JPEG of 45 x 31 pixels that no block size divides."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(pixels).resize((45, 31), Image.Resampling.BICUBIC).convert(mode)
    image.save(buffer, format="JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_opencv_resizes_bit_for_bit_as_the_own_code(channels: tuple[int, ...]) -> None:
    pytest.importorskip("cv2")
    draw = np.random.default_rng(0)
    for height, width, new_height, new_width in draw.integers(1, 90, (40, 4)).tolist():
        img = draw.integers(0, 256, (height, width, *channels), dtype=np.uint8)
        for size in ((new_width, new_height), (max(width // 2, 1), max(height // 2, 1))):
            resized = fast.resize_bilinear(img, size)
            assert resized is not None
            np.testing.assert_array_equal(resized, resize_bilinear_uint8(img, size))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_simplejpeg_decodes_bit_for_bit_as_pillow(subsampling: int, order: str) -> None:
    pytest.importorskip("simplejpeg")
    content = photograph(quality=80, subsampling=subsampling)
    decoded = fast.decode_jpeg(content, order)
    assert decoded is not None
    expected = np.array(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(decoded, expected if order == "rgb" else expected[..., ::-1])


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_torchvision_decodes_bit_for_bit_as_pillow(
    subsampling: int, order: str, absent: None
) -> None:
    content = photograph(quality=80, subsampling=subsampling)
    decoded = decode_jpeg(content)
    assert decoded is not None
    expected = np.array(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(decoded, expected)
    image = imfrombytes(content, channel_order=order)
    np.testing.assert_array_equal(image, expected if order == "rgb" else expected[..., ::-1])
    image[:] = 0  # it can be written to


def test_what_torchvision_cannot_decode_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode_jpeg(photograph()[:-200]) is None
    monkeypatch.setattr(jpeg, "operators", lambda library, namespace: None)
    assert decode_jpeg(photograph()) is None


def test_a_file_cut_short_is_left_to_pillow_which_names_the_fault() -> None:
    assert fast.decode_jpeg(photograph()[:-200], "bgr") is None


@pytest.mark.parametrize("flag", ["color", "color_ignore_orientation"])
def test_orientation_is_applied_with_and_without_the_extra(
    flag: str, request: pytest.FixtureRequest
) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    content = photograph(exif=turned)
    with_extra = imfrombytes(content, flag)
    request.getfixturevalue("absent")
    np.testing.assert_array_equal(with_extra, imfrombytes(content, flag))
    assert with_extra.shape == ((45, 31, 3) if flag == "color" else (31, 45, 3))


def test_without_the_extra_the_own_code_does_the_work(absent: None) -> None:
    img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert fast.resize_bilinear(img, (40, 50)) is None
    assert fast.decode_jpeg(photograph(), "bgr") is None
    np.testing.assert_array_equal(codec.swap_red_and_blue(img), img[..., ::-1])
    np.testing.assert_array_equal(imresize(img, (40, 50)), resize_bilinear_uint8(img, (40, 50)))


def test_what_a_library_does_in_another_way_stays_with_the_own_code() -> None:
    assert fast.resize_bilinear(np.zeros((4, 4, 2), np.uint8), (2, 2)) is None
    assert fast.resize_bilinear(np.zeros((4, 4, 5), np.uint8), (2, 2)) is None
    assert fast.swap_red_and_blue(np.zeros((4, 4, 3), np.float32)) is None
    assert fast.swap_red_and_blue(np.zeros((4, 4, 4), np.uint8)) is None
