"""`detcore data`: archives from a server on this machine, lists and sizes."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.fileio import load_plain_pickle
from cvcore.image import imwrite
from detcore.apis.data_sets import read_sources
from detcore.cli.main import main


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder behind a server, with two archives and sources that name them."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, inside in (("images.zip", "val/a.jpg"), ("notes.zip", "annotations/val.json")):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(inside, inside)
    made = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    address = f"http://127.0.0.1:{made.server_port}"
    digest = hashlib.sha256((folder / "notes.zip").read_bytes()).hexdigest()
    (folder / "sources.toml").write_text(
        f"[pets]\nfolder = 'pets'\nfiles = ['{address}/images.zip', "
        f"{{ address = '{address}/notes.zip', sha256 = '{digest}' }}]\n"
        f"[bad]\nfolder = 'bad'\n"
        f"files = [{{ address = '{address}/notes.zip', sha256 = '{'0' * 64}' }}]\n"
    )
    yield folder
    made.shutdown()
    made.server_close()
    thread.join()


def get(mirror: Path, root: Path, *arguments: str) -> int:
    index = str(mirror / "sources.toml")
    return main(["data", "get", *arguments, "--index", index, "--root", str(root)])


def test_archives_are_unpacked_where_configs_look_and_removed(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(mirror, tmp_path / "data", "pets") == 0
    assert (tmp_path / "data" / "pets" / "val" / "a.jpg").read_text() == "val/a.jpg"
    assert (tmp_path / "data" / "pets" / "annotations" / "val.json").is_file()
    assert not list((tmp_path / "data").rglob("*.zip"))
    digest = hashlib.sha256((mirror / "images.zip").read_bytes()).hexdigest()
    assert f"images.zip: 1 files in {tmp_path / 'data' / 'pets'}, sha256 {digest}" in (
        capsys.readouterr().out
    )


def test_only_the_archives_that_are_named_are_fetched(mirror: Path, tmp_path: Path) -> None:
    assert get(mirror, tmp_path / "data", "pets", "--only", "notes", "--keep") == 0
    assert not (tmp_path / "data" / "pets" / "val").exists()
    assert [path.name for path in (tmp_path / "data").rglob("*.zip")] == ["notes.zip"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bad"], f"not {'0' * 64}"),
        (["pet"], "no data set 'pet'; nearest: 'pets'"),
        (["pets", "--only", "train"], "it has images.zip, notes.zip"),
    ],
)
def test_what_cannot_be_had_is_an_error(
    arguments: list[str],
    said: str,
    mirror: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert get(mirror, tmp_path / "data", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "data").rglob("val.json"))


def test_the_sources_of_the_package_are_archives_of_the_data_sets_of_its_configs() -> None:
    sources = read_sources()
    assert set(sources) == {"coco2017", "lvis", "voc2007", "voc2012"}
    names = [archive.name for archives in sources.values() for archive in archives]
    assert all(name.endswith((".zip", ".tar")) for name in names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["sizes.json", "sizes.pkl"])
def test_sizes_are_noted_for_each_image(name: str, tiny_config: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    assert main(["data", "sizes", str(tiny_config), "--split", "val", "--out", str(path)]) == 0
    data = path.read_bytes()
    metas = json.loads(data) if name.endswith("json") else load_plain_pickle(data, name)
    assert [Path(meta["filename"]).name for meta in metas] == [f"val_0000{i}.jpg" for i in range(4)]
    assert {tuple(meta["ori_shape"]) for meta in metas} == {(96, 128, 3)}


def test_a_folder_of_images_gets_the_categories_of_a_json(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "test.json"
    imwrite(np.zeros((20, 30, 3), np.uint8), str(images / "b" / "two.png"))
    imwrite(np.zeros((10, 40, 3), np.uint8), str(images / "one.png"))
    categories = [{"id": 7, "name": "cat", "isthing": 1}]
    (tmp_path / "panoptic.json").write_text(json.dumps({"categories": categories}))
    arguments = [str(images), "--categories", str(tmp_path / "panoptic.json"), "--out", str(out)]
    assert main(["data", "unlabelled", *arguments]) == 0
    document = json.loads(out.read_text())
    assert document["images"] == [
        {"id": 1, "file_name": "b/two.png", "width": 30, "height": 20},
        {"id": 2, "file_name": "one.png", "width": 40, "height": 10},
    ]
    assert document["categories"] == categories
    assert document["annotations"] == []


def test_the_images_of_a_json_get_the_categories_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = {"info": {"year": 2017}, "images": [{"id": 3, "file_name": "a.jpg"}], "categories": []}
    (tmp_path / "info.json").write_text(json.dumps(info))
    (tmp_path / "list.json").write_text(json.dumps([{"id": 1, "name": "sky"}]))
    out = tmp_path / "test.json"
    arguments = ["data", "unlabelled", str(tmp_path / "info.json"), "--out", str(out)]
    assert main([*arguments, "--categories", str(tmp_path / "list.json")]) == 0
    assert json.loads(out.read_text()) == {
        "info": {"year": 2017},
        "images": [{"id": 3, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "sky"}],
        "annotations": [],
    }
    for text in ('{"things": 1}', '{"categories": []}', '[{"id": 1}]'):
        (tmp_path / "broken.json").write_text(text)
        assert main([*arguments, "--categories", str(tmp_path / "broken.json")]) == 2
        assert "has no list of categories" in capsys.readouterr().err
