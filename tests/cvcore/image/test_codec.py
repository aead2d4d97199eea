from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvcore.errors import ConfigError, FileError, ImageDecodeError
from cvcore.image import codec, imfrombytes, imread, imwrite, set_pixel_cap, use_backend

# A picture whose corners tell all eight orientations apart; RGB.
CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8] = (255, 0, 0)
CORNERS[:8, 16:] = (0, 255, 0)
CORNERS[8:, :8] = (0, 0, 255)


def encode(array: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_back_in_bgr(kind: str) -> None:
    decoded = imfrombytes(encode(CORNERS, kind))
    np.testing.assert_array_equal(decoded, CORNERS[..., ::-1])
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_lossy_formats_give_nearly_the_pixels_in_the_asked_order(kind: str) -> None:
    decoded = imfrombytes(encode(CORNERS, kind, quality=100), channel_order="rgb")
    assert abs(decoded[2:6, 2:6].astype(int) - CORNERS[2:6, 2:6]).max() <= 6


def test_jpegs_decode_to_what_pillow_makes_of_them() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    content = encode(noise, "JPEG", quality=80)
    pillow = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(imfrombytes(content, channel_order="rgb"), pillow)


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(CORNERS, "PNG"))
    np.testing.assert_array_equal(imread(path, channel_order="rgb"), CORNERS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_eight_orientations_give_one_upright_picture(orientation: int, kind: str) -> None:
    # How a camera held that way would have stored the scene.
    stored = {
        1: CORNERS,
        2: CORNERS[:, ::-1],
        3: CORNERS[::-1, ::-1],
        4: CORNERS[::-1],
        5: CORNERS.swapaxes(0, 1),
        6: np.rot90(CORNERS, 1),
        7: CORNERS.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(CORNERS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    extra = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    content = encode(np.ascontiguousarray(stored), kind, exif=exif, **extra)
    upright = imfrombytes(content, channel_order="rgb")
    assert upright.shape == CORNERS.shape
    assert np.abs(upright.astype(int) - CORNERS).max() <= 6
    if kind != "TIFF":  # whose reader turns the picture itself
        as_stored = imfrombytes(content, "color_ignore_orientation", "rgb")
        assert as_stored.shape == stored.shape


def test_grey_becomes_three_equal_channels_and_palettes_colours() -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    np.testing.assert_array_equal(
        imfrombytes(encode(grey, "PNG")), np.repeat(grey[..., None], 3, 2)
    )
    palette = imfrombytes(encode(CORNERS, "PNG", "P"), channel_order="rgb")
    np.testing.assert_array_equal(palette, CORNERS)


def test_alpha_is_dropped_without_blending() -> None:
    clear = np.dstack((CORNERS, np.zeros(CORNERS.shape[:2], np.uint8)))
    np.testing.assert_array_equal(imfrombytes(encode(clear, "PNG"), channel_order="rgb"), CORNERS)


def test_unchanged_keeps_alpha_palette_indices_and_depth() -> None:
    clear = np.dstack((CORNERS, np.full(CORNERS.shape[:2], 7, np.uint8)))
    kept = imfrombytes(encode(clear, "PNG"), "unchanged")
    np.testing.assert_array_equal(kept, clear[..., [2, 1, 0, 3]])
    labels = Image.fromarray(np.array([[3, 200]], np.uint8), mode=None).convert("P")
    labels.putdata([3, 200])
    buffer = io.BytesIO()
    labels.save(buffer, "PNG")
    np.testing.assert_array_equal(imfrombytes(buffer.getvalue(), "unchanged"), [[3, 200]])
    deep = np.array([[0, 65535, 256]], np.uint16)
    np.testing.assert_array_equal(imfrombytes(encode(deep, "PNG"), "unchanged"), deep)


def test_sixteen_bits_are_scaled_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    deep = np.array([[0, 65535, 0x1280]], np.uint16)
    logger = logging.getLogger("cvcore")
    logger.addHandler(caplog.handler)  # it may not hand records up to the root
    try:
        decoded = imfrombytes(encode(deep, "PNG"))
    finally:
        logger.removeHandler(caplog.handler)
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 255, 0x12])
    assert "16-bit" in caplog.text


def test_grayscale_is_one_channel_of_luma() -> None:
    decoded = imfrombytes(encode(CORNERS, "PNG"), "grayscale")
    assert decoded.shape == CORNERS.shape[:2]
    assert decoded[0, 0] == round(0.299 * 255)
    assert decoded[0, -1] == round(0.587 * 255)


def test_cmyk_decodes_to_colours() -> None:
    cmyk = Image.new("CMYK", (8, 8), (255, 0, 0, 0))  # all cyan: no red
    buffer = io.BytesIO()
    cmyk.save(buffer, "JPEG", quality=100)
    blue, green, red = imfrombytes(buffer.getvalue())[4, 4].astype(int)
    assert red < 8
    assert min(blue, green) > 247


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "not an image"),
        (encode(CORNERS, "JPEG")[:200], "cannot decode"),
        (
            encode(np.random.default_rng(1).integers(0, 9, (64, 64), np.uint8), "PNG")[:-60],
            "decode",
        ),
    ],
)
def test_files_that_are_no_whole_image_are_named(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageDecodeError, match=words) as caught:
        imread(path)
    assert "broken.jpg" in str(caught.value)
    assert caught.value.path == str(path)


def test_a_jpeg_cut_off_in_its_last_rows_is_an_error_not_a_half_grey_image() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(ImageDecodeError):
        imfrombytes(encode(noise, "JPEG")[:-40])


def test_folders_missing_files_and_pipes_are_errors_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    for path in (tmp_path, tmp_path / "missing.jpg", pipe, loop):
        with pytest.raises(ImageDecodeError, match=path.name):
            imread(path)


def test_float_tiffs_are_refused_with_the_remedy() -> None:
    with pytest.raises(ImageDecodeError, match="save the image with 8 bits"):
        imfrombytes(encode(np.zeros((4, 4), np.float32), "TIFF"))


def test_formats_off_the_list_are_refused() -> None:
    with pytest.raises(ImageDecodeError, match="not an image of a known format"):
        imfrombytes(encode(CORNERS, "ICO"))


def test_the_pixel_cap_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_pixel_cap", codec.DEFAULT_PIXEL_CAP)
    set_pixel_cap(100)
    with pytest.raises(ImageDecodeError, match="24 x 16 pixels are more than the cap of 100"):
        imfrombytes(encode(CORNERS, "PNG"))
    with pytest.raises(ConfigError):
        set_pixel_cap(0)


def test_unknown_flags_orders_and_backends_are_refused() -> None:
    content = encode(CORNERS, "PNG")
    with pytest.raises(ConfigError, match="flag"):
        imfrombytes(content, "colour")
    with pytest.raises(ConfigError, match="channel_order"):
        imfrombytes(content, channel_order="gbr")
    with pytest.raises(ConfigError, match="backend"):
        use_backend("opencv")
    np.testing.assert_array_equal(imfrombytes(content, backend="cv2"), imfrombytes(content))


def test_arrays_pass_through_imread() -> None:
    assert imread(CORNERS) is CORNERS


def test_what_imwrite_writes_imread_reads(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "picture.png"
    assert imwrite(CORNERS, path)
    np.testing.assert_array_equal(imread(path), CORNERS)
    assert [entry.name for entry in path.parent.iterdir()] == ["picture.png"]


def test_quality_is_given_by_name_or_by_opencvs_number(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    sizes = []
    for params in ({"quality": 30}, [1, 30], None):
        imwrite(noise, tmp_path / "noise.jpg", params)
        sizes.append((tmp_path / "noise.jpg").stat().st_size)
    assert sizes[0] == sizes[1] < sizes[2]


def test_arrays_and_suffixes_that_are_no_image_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="suffix"):
        imwrite(CORNERS, tmp_path / "a.xyz")
    with pytest.raises(FileError, match="float64"):
        imwrite(CORNERS / 255, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_images_come_through_a_file_client_where_one_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(CORNERS, "PNG"))
    through_client = imread(path, file_client_args={"backend": "disk"})
    np.testing.assert_array_equal(through_client, imread(path))
    with pytest.raises(ImageDecodeError, match="s9://"):
        imread("s9://bucket/picture.png")
