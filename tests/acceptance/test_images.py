"""Section A: images. One test a row."""

# ruff: noqa: N802 - rows are found by their ids

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.acceptance.conftest import Data
from tests.acceptance.pictures import bomb, encoded, photograph, tiff

from cvcore.errors import ImageDecodeError
from cvcore.image import imread
from cvcore.image.codec import _warn_once
from detcore.datasets import build_dataloader
from detcore.datasets.image_files.bad_images import passed_over
from detcore.datasets.samplers.seeded import SampleError
from detcore.errors import AnnotationError

Train = Callable[..., tuple[int, str]]


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def refused(data: Data, content: bytes, name: str = "bad.jpg") -> str:
    """The message for an image that cannot be decoded."""
    path = data.image(name, content=content)
    data.object()
    with pytest.raises(ImageDecodeError) as raised:
        data.dataset()[len(data.images) - 1]
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_A1_missing_files_are_listed_at_the_start_with_their_number(
    data: Data, train: Train
) -> None:
    for number in range(14):
        data.image(f"{number:02d}.jpg")
        data.object()
    for number in range(12):
        (data.folder / f"{number:02d}.jpg").unlink()
    code, said = train(data)
    assert code == 2
    assert "12 of 14 image files" in said
    assert said.count(".jpg: file missing") == 10
    assert "and 2 more" in said
    assert "on_bad_image" in said
    made = data.dataset(on_bad_image="skip")
    assert len(made) == 2
    assert made.filter_report["images: file missing (on_bad_image='skip')"] == 12


def test_A2_an_empty_file_is_called_empty(good_data: Data, train: Train) -> None:
    (good_data.folder / "b.jpg").write_bytes(b"")
    code, said = train(good_data)
    assert code == 2
    assert "b.jpg: empty file" in said
    with pytest.raises(ImageDecodeError, match=r"b\.jpg: the file is empty"):
        good_data.dataset()[1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_A3_truncated_image_is_an_error_or_is_skipped(
    good_data: Data, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    message = refused(good_data, half(encoded(photograph(), kind)))
    assert "truncated" in message
    made = good_data.dataset(on_bad_image="skip")
    with caplog.at_level(logging.WARNING, logger="detcore"):
        replacement = made[3]
    assert replacement["ori_filename"] in {"a.jpg", "b.jpg", "c.jpg"}
    assert "bad.jpg" in caplog.text
    assert passed_over(made) == ["bad.jpg"]


def test_A3_truncated_image_stops_training_with_one_line(good_data: Data, train: Train) -> None:
    (good_data.folder / "b.jpg").write_bytes(half(encoded(photograph(), "JPEG")))
    code, said = train(good_data)
    assert code == 2
    assert said.count("error:") == 1
    assert "Traceback" not in said
    assert "b.jpg" in said
    code, said = train(good_data, "data.train.on_bad_image=skip")
    assert code == 0
    assert "1 images could not be read" in said


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html></html>", b"\x00" * 400])
def test_A4_what_is_not_an_image_says_how_it_begins(data: Data, content: bytes) -> None:
    assert "not an image of a known format" in refused(data, content)


def test_A5_the_content_decides_not_the_suffix(data: Data) -> None:
    path = data.image("a.jpg", content=encoded(photograph()))
    assert np.array_equal(imread(path, channel_order="rgb"), photograph())


def test_A6_eight_orientations_give_one_image_of_the_annotated_size(data: Data) -> None:
    upright = photograph(40, 48)
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    for orientation, pixels in turned.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = encoded(np.ascontiguousarray(pixels), exif=exif)
        data.image(f"{orientation}.png", size=(40, 48), content=content)
        data.object()
    images = [sample["img"] for sample in (data.dataset()[i] for i in range(8))]
    assert all(np.array_equal(image, upright[..., ::-1]) for image in images)


def test_A7_another_size_than_annotated_names_both_and_guesses_the_cause(data: Data) -> None:
    data.image("a.jpg", size=(50, 40), content=encoded(photograph(64, 48)))
    data.object()
    with pytest.raises(AnnotationError, match="64x48") as raised:
        data.dataset()[0]
    assert "50x40" in str(raised.value)
    assert "EXIF" not in str(raised.value)
    data.images[0].update(width=48, height=64)
    with pytest.raises(AnnotationError, match=r"swapped.*EXIF"):
        data.dataset()[0]


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_A8_grey_becomes_three_equal_channels(data: Data, mode: str) -> None:
    path = data.image("a.png", content=encoded(photograph(), mode=mode))
    image = imread(path)
    assert image.shape == (48, 64, 3)
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])
    assert image.max() > 200


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_A9_alpha_is_dropped_without_blending(data: Data, mode: str) -> None:
    pixels = np.dstack([photograph(), np.full((48, 64), 7, dtype=np.uint8)])
    picture = Image.fromarray(pixels)
    if mode == "P":
        picture = picture.convert("RGB").convert("P")
        picture.info["transparency"] = 3
    picture.save(data.folder / "a.png")
    expected = np.array(Image.open(data.folder / "a.png").convert("RGB"))
    assert np.array_equal(imread(data.folder / "a.png", channel_order="rgb"), expected)
    if mode == "RGBA":
        assert np.array_equal(expected, photograph())


def test_A10_cmyk_has_the_colours_of_the_photograph(data: Data) -> None:
    # Pillow writes CMYK as Adobe does: inverted, with a mark that readers have to obey.
    content = encoded(photograph(), "JPEG", mode="CMYK", quality=98)
    assert b"Adobe" in content
    path = data.image("a.jpg", content=content)
    difference = imread(path, channel_order="rgb").astype(int) - photograph()
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_A11_sixteen_bits_are_scaled_with_one_warning(
    data: Data, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    _warn_once.cache_clear()
    deep = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    for name in ("a", "b"):
        Image.fromarray(deep).save(data.folder / f"{name}.{suffix}")
    with caplog.at_level(logging.WARNING, logger="cvcore"):
        images = [imread(data.folder / f"{name}.{suffix}") for name in ("a", "b")]
    assert np.array_equal(images[1][..., 0], deep >> 8)
    assert caplog.text.count("scaled to 8 bits") == 1


def test_A12_floats_and_many_channels_are_unsupported_and_said_to_be(data: Data) -> None:
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(data.folder / "float.tif")
    with pytest.raises(ImageDecodeError, match=r"float\.tif.*save the image with 8 bits"):
        imread(data.folder / "float.tif")
    (data.folder / "five.tif").write_bytes(tiff(5))
    with pytest.raises(ImageDecodeError, match=r"five\.tif.*more than 4 channels"):
        imread(data.folder / "five.tif")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
def test_A13_the_first_of_several_pictures_is_taken_with_one_warning(
    data: Data, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    _warn_once.cache_clear()
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue", "lime")]
    path = data.folder / "film"
    frames[0].save(path, format=kind, save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING, logger="cvcore"):
        images = [imread(path, channel_order="rgb") for _ in range(2)]
    assert images[0].shape == (6, 8, 3)
    assert np.abs(images[1].astype(int) - (255, 0, 0)).max() <= 2
    assert caplog.text.count("the first one is taken") == 1


def test_A14_a_bomb_is_refused_before_it_is_decoded(data: Data) -> None:
    content = bomb(30_000)  # 112 MB decoded, even with eight pixels a byte
    assert len(content) < 300_000
    before = peak_memory(reset=True)
    message = refused(data, content, "bomb.png")
    grown = peak_memory() - before
    assert "900000000 pixels" in message
    assert "max_pixels" in message
    assert grown < 40_000


def peak_memory(reset: bool = False) -> int:
    """Most kilobytes that this process has held, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_A14_the_cap_is_a_setting_of_the_pipeline(good_data: Data) -> None:
    loading = {"type": "LoadImageFromFile", "max_pixels": 3000}
    with pytest.raises(ImageDecodeError, match="64 x 48 pixels are more than the cap of 3000"):
        good_data.dataset([loading])[0]


@pytest.mark.parametrize("kind", ["EPS", "FITS", "PSD", "ICO"])
def test_A15_formats_off_the_list_are_refused(data: Data, kind: str) -> None:
    begins = {"EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n", "FITS": b"SIMPLE  =", "PSD": b"8BPS\0\1"}
    content = begins.get(kind) or encoded(photograph(32, 32), "ICO")
    assert "not an image of a known format" in refused(data, content + bytes(200))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_A16_thin_images_train_and_infer(
    data: Data, size: tuple[int, int], tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detcore.apis.config_files import read_config
    from detcore.apis.inference.infer import inference_detector, init_detector
    from detcore.datasets import CocoDataset
    from detcore.models import build_detector

    monkeypatch.setattr(CocoDataset, "MIN_SIZE", 1)
    path = data.image("thin.png", size=size, content=encoded(photograph(*size)))
    data.object(bbox=[0, 0, *size], segmentation=[[0, 0, size[0], 0, *size, 0, size[1]]])
    cfg = read_config(tiny_config)
    made = data.dataset(cfg.data.train.pipeline, classes=("cat", "dog"))
    cfg.model.roi_head.bbox_head.num_classes = cfg.model.roi_head.mask_head.num_classes = 2
    model = build_detector(cfg.model)
    batch = next(iter(build_dataloader(made, 1, 0, dist=False, shuffle=False)))
    height, width = batch["img"].data[0].shape[2:]
    assert min(height, width) >= 1
    given = {key: value.data[0] for key, value in batch.items()}
    losses = model(return_loss=True, **given)
    assert all(
        torch.isfinite(torch.as_tensor(value)).all()
        for value in losses.values()
        for value in (value if isinstance(value, list) else [value])
    )
    detector = init_detector(cfg, device="cpu")
    boxes, _ = inference_detector(detector, imread(path))
    assert len(boxes) == 2


@pytest.mark.parametrize(
    "name", ["größe ü.jpg", "写真.jpg", "a b.jpg", "a#1.jpg", "50%25.jpg", "%2e%2e.jpg", "n" * 200]
)
def test_A17_any_name_of_a_file_works_and_is_kept(data: Data, name: str) -> None:
    data.image(name)
    data.object()
    made = data.dataset()
    assert made[0]["img"].shape == (48, 64, 3)
    assert made[0]["ori_filename"] == name
    assert made.coco.loadImgs([1])[0]["file_name"] == name


def test_A18_paths_are_normalised_and_kept_inside_their_root(data: Data) -> None:
    (data.folder / "sub").mkdir()
    inside = data.image("a.jpg")
    data.object()
    (data.folder / "sub" / "b.jpg").write_bytes(inside.read_bytes())
    for name in ("sub\\b.jpg", str(inside), "sub/../a.jpg"):
        data.image(name)
        data.object()
    made = data.dataset()
    assert [made[i]["img"].shape for i in range(4)] == [(48, 64, 3)] * 4
    assert made[1]["ori_filename"] == "sub/b.jpg"
    outside = data.folder.parent / "secret.jpg"
    outside.write_bytes(inside.read_bytes())
    for name in ("../secret.jpg", str(outside), "sub\\..\\..\\secret.jpg"):
        data.images[-1]["file_name"] = name
        with pytest.raises(AnnotationError, match="lead out of") as raised:
            data.dataset()
        assert repr(name)[1:-1] in repr(str(raised.value))
        assert data.dataset(allow_outside_root=True)[3]["img"].shape == (48, 64, 3)


def test_A19_what_is_no_regular_file_is_an_error_without_waiting(data: Data) -> None:
    (data.folder / "folder.jpg").mkdir()
    os.mkfifo(data.folder / "pipe.jpg")
    (data.folder / "loop.jpg").symlink_to(data.folder / "loop.jpg")
    for name in ("folder.jpg", "pipe.jpg", "loop.jpg"):
        data.images.append(
            {"id": len(data.images) + 1, "file_name": name, "width": 64, "height": 48}
        )
        data.object()
    made = data.dataset()
    for position, name in enumerate(("folder.jpg", "pipe.jpg", "loop.jpg")):
        with pytest.raises(ImageDecodeError, match=name):
            made[position]
    with pytest.raises(AnnotationError, match="0 of 3 images left") as raised:
        data.dataset(on_bad_image="skip")
    assert "not a regular file" in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_A19_a_file_without_permission_is_named(good_data: Data) -> None:
    (good_data.folder / "b.jpg").chmod(0)
    with pytest.raises(ImageDecodeError, match=r"b\.jpg.*Permission denied"):
        good_data.dataset()[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_A20_a_file_deleted_during_training_is_named_or_replaced(
    good_data: Data, workers: int
) -> None:
    collect = {"type": "Collect", "keys": ["img"], "meta_keys": ["ori_filename"]}
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}, collect]
    raising = good_data.dataset(pipeline)
    skipping = good_data.dataset(pipeline, on_bad_image="skip")
    (good_data.folder / "b.jpg").unlink()
    options = {"dist": False, "shuffle": False, "seed": 0}
    with pytest.raises(SampleError, match=r"sample 1 .*b\.jpg"):
        list(build_dataloader(raising, 1, workers, **options))
    loader = build_dataloader(skipping, 1, workers, persistent_workers=True, **options)
    for _ in range(2):  # the worker goes on
        assert len(list(loader)) == 3
    assert passed_over(skipping) == ["b.jpg"]
