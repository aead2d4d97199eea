"""What a person calls a picture: paths, folders, globs, addresses, arrays, Pillow images."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvcore.errors import FileError, ImageDecodeError
from cvcore.image import imread, imwrite
from detcore.apis.inference.pictures import load_pictures
from detcore.errors import DetcoreError, ShapeError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """b.png and a.jpg, each of one colour, c.png in a folder inside, and a text."""
    (tmp_path / "inner").mkdir()
    for name, blue in (("b.png", 200), ("a.jpg", 100), ("inner/c.png", 50)):
        imwrite(np.full((4, 6, 3), (blue, 10, 10), dtype=np.uint8), tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """The folder on a web server of this machine."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def names(inputs: object) -> list[str]:
    return [Path(picture.source).name for picture in load_pictures(inputs)]


def test_a_folder_gives_its_own_pictures_by_name(folder: Path) -> None:
    assert names(folder) == ["a.jpg", "b.png"]


def test_a_glob_gives_what_it_matches(folder: Path) -> None:
    assert names(f"{folder}/**/*.png") == ["b.png", "c.png"]


def test_a_file_may_have_the_letters_of_a_glob_in_its_name(folder: Path) -> None:
    (folder / "b.png").rename(folder / "b[1].png")
    assert names(folder / "b[1].png") == ["b[1].png"]


def test_a_list_may_mix_kinds(folder: Path) -> None:
    array = np.zeros((3, 3, 3), dtype=np.uint8)
    sources = [picture.source for picture in load_pictures([str(folder / "b.png"), array])]
    assert sources == [str(folder / "b.png"), None]


def test_an_address_is_fetched(folder: Path, address: str) -> None:
    (picture,) = load_pictures(f"{address}/b.png")
    assert picture.source == f"{address}/b.png"
    assert np.array_equal(picture.pixels, imread(folder / "b.png"))


def test_an_address_without_a_file_is_named(address: str) -> None:
    with pytest.raises(FileError, match=r"none\.png.*404"):
        list(load_pictures(f"{address}/none.png"))


def test_a_pillow_image_becomes_bgr_with_its_orientation() -> None:
    image = Image.new("RGBA", (6, 4), (255, 0, 7, 128))
    image.getexif()[0x0112] = 6  # turn by 90 degrees to see it upright
    (picture,) = load_pictures(image)
    assert picture.pixels.shape == (6, 4, 3)
    assert picture.pixels[0, 0].tolist() == [7, 0, 255]


def test_a_grey_array_gets_three_equal_channels() -> None:
    (picture,) = load_pictures(np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert picture.pixels[1, 2].tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
    ids=["four channels", "float", "empty"],
)
def test_an_array_that_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="BGR order"):
        list(load_pictures(array))


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jpg", "no such file"), ("*.webp", "match this pattern"), ("empty", "in this folder")],
)
def test_what_leads_to_no_picture_is_named(folder: Path, name: str, message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(DetcoreError, match=message):
        list(load_pictures(str(folder / name)))


def test_what_is_no_picture_at_all_is_refused(folder: Path) -> None:
    with pytest.raises(DetcoreError, match="not int"):
        list(load_pictures(3))
    with pytest.raises(ImageDecodeError, match=r"notes\.txt"):
        list(load_pictures(folder / "notes.txt"))
