"""`detcore zoo get`: weights from a server on this machine, checked and made to stand alone."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cvcore import Config
from detcore.apis.config_files import list_configs
from detcore.apis.zoo import read_index
from detcore.cli.main import main


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def shop(
    trained_run: Path, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder behind a server: weights named by their digest, their config, and an index."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CVCORE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "shop"
    folder.mkdir()
    weights = (trained_run / "latest.pth").read_bytes()
    digest = hashlib.sha256(weights).hexdigest()
    (folder / f"shapes-{digest[:8]}.pth").write_bytes(weights)
    (folder / "plain.pth").write_bytes(weights)
    shutil.copy(tiny_config, folder / "shapes.py")
    Handler.asked = []
    made = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    (folder / "index.toml").write_text(
        f"base = 'http://127.0.0.1:{made.server_port}/'\n[models]\n"
        f"shapes = {{ weights = 'shapes-{digest[:8]}.pth', config = 'shapes.py' }}\n"
        f"checked = {{ weights = 'plain.pth', sha256 = '{digest}', config = 'shapes.py' }}\n"
        f"damaged = {{ weights = 'plain.pth', sha256 = '{'0' * 64}', config = 'shapes.py' }}\n"
        f"other = {{ weights = 'plain.pth', config = 'fcos_r50_caffe_fpn_gn-head_1x_coco' }}\n"
    )
    yield folder
    made.shutdown()
    made.server_close()
    thread.join()


def get(shop: Path, name: str, out: Path) -> int:
    return main(["zoo", "get", name, "--index", str(shop / "index.toml"), "--out", str(out)])


@pytest.mark.parametrize("name", ["shapes", "checked"])
def test_what_is_got_predicts_with_nothing_beside_it(
    name: str, shop: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(shop, name, tmp_path / "models") == 0
    said = capsys.readouterr().out
    (command,) = re.findall(r"^next: detcore (predict .+) PHOTO\.jpg", said, re.MULTILINE)
    photo = str(scenes / "images" / "val_00000.jpg")
    assert main([*command.split(), photo, "--out", str(tmp_path), "--score-thr", "0"]) == 0
    (record,) = json.loads((tmp_path / "predictions.json").read_text())
    names = {found["label"] for found in record["detections"]}
    assert names
    assert names <= {"disc", "triangle", "square", "star", "ring"}
    config = Config.fromfile(tmp_path / "models" / f"{name}.py")
    assert config["model"]["neck"]["out_channels"] == 16


def test_weights_are_downloaded_once(shop: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert get(shop, "shapes", tmp_path / folder) == 0
    assert len(Handler.asked) == len(set(Handler.asked)) == 2


def test_weights_with_another_digest_are_thrown_away(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(shop, "damaged", tmp_path / "models") == 2
    assert f"not {'0' * 64}" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
    assert not list((tmp_path / "cache").rglob("plain.pth"))


def test_weights_of_another_model_are_not_written(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(shop, "other", tmp_path / "models") == 2
    assert "are not those of fcos_r50_caffe_fpn_gn-head_1x_coco" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_an_index_is_read_from_an_address_too(shop: Path, tmp_path: Path) -> None:
    base = read_index(shop / "index.toml")["shapes"].config.removesuffix("shapes.py")
    out = ["--out", str(tmp_path / "models")]
    assert main(["zoo", "get", "shapes", "--index", f"{base}index.toml", *out]) == 0
    assert (tmp_path / "models" / "shapes.pth").is_file()


def test_files_beside_an_index_need_no_server(shop: Path, tmp_path: Path) -> None:
    index = shop / "here.toml"
    index.write_text("[models]\nnear = { weights = 'plain.pth', config = 'shapes.py' }\n")
    assert main(["zoo", "get", "near", "--index", str(index), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "near.pth").is_file()
    assert Handler.asked == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "table [models]"),
        ("[models]\nx = { sha256 = 'a' }", "x should be the address of its weights"),
        ("[models]\nx = { weights = 'a.pth', sha = 'a' }", "x should be the address"),
        ("[models]\nx = { weights = 'a.pth', sha256 = 'a' }", "goes with an http(s) address"),
        ("[models]\n'../x' = 'a.pth'", "is no name"),
    ],
)
def test_an_index_that_makes_no_sense_is_an_error(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.toml"
    index.write_text(text)
    assert main(["zoo", "get", "x", "--index", str(index), "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_name_without_weights_is_answered_with_the_nearest_that_has_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["zoo", "get", "faster_rcnn_r50_fpn_1x_coc"]) == 2
    assert "nearest: 'faster_rcnn_r50_fpn_1x_coco'" in capsys.readouterr().err
    assert main(["zoo", "get", "mask_rcnn_r18_fpn_shapes"]) == 2
    assert "no weights are published for mask_rcnn_r18_fpn_shapes" in capsys.readouterr().err


def test_the_index_of_the_package_names_its_configs_and_files_with_digests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = read_index()
    assert set(models) <= {path.stem for path in list_configs()}
    assert all(re.search(r"-[0-9a-f]{8}\.pth$", each.weights) for each in models.values())
    assert all(each.weights.startswith("https://") for each in models.values())
    assert main(["zoo", "list", "--weights"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{len(models)} of ")
