from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import hub

from cvcore.errors import CheckpointError
from cvcore.fileio import place_in_cache
from cvcore.runner import CheckpointLoader, load_checkpoint
from cvcore.runner.checkpoint import zoos
from cvcore.runner.checkpoint.model_zoo import MMCLS, OPEN_MMLAB
from cvcore.runner.checkpoint.url import load_url


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder `files`."""
    (tmp_path / "files").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "files"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CVCORE_CACHE", raising=False)
    monkeypatch.setattr(hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_a_download_is_kept_and_used_again(server: str, cache: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "files" / "net.pth")

    first = CheckpointLoader.load_checkpoint(f"{server}/net.pth")
    (tmp_path / "files" / "net.pth").unlink()
    second = CheckpointLoader.load_checkpoint(f"{server}/net.pth")

    assert first["state_dict"]["a"] == second["state_dict"]["a"] == 1
    assert [file.name for file in cache.rglob("*.pth")] == ["net.pth"]


def test_a_folder_of_ones_own_takes_the_download_and_code_is_refused(
    server: str, cache: Path, tmp_path: Path
) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "files" / "net.pth")
    torch.save({"a": Path("/")}, tmp_path / "files" / "code.pth")  # a path is no plain type

    assert load_url(f"{server}/net.pth", model_dir=tmp_path / "mine")["a"] == 1
    assert [file.name for file in (tmp_path / "mine").rglob("*.pth")] == ["net.pth"]
    assert not list(cache.rglob("*.pth"))
    with pytest.raises(CheckpointError, match="code"):
        load_url(f"{server}/code.pth", tmp_path / "mine")


def test_the_cache_is_where_the_environment_says(
    server: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "files" / "net.pth")
    monkeypatch.setenv("CVCORE_CACHE", str(tmp_path / "own"))

    CheckpointLoader.load_checkpoint(f"{server}/net.pth")

    assert [file.name for file in (tmp_path / "own").rglob("*.pth")] == ["net.pth"]
    assert not cache.exists()


def test_a_digest_is_given_in_the_name_or_after_the_address(
    server: str, cache: Path, tmp_path: Path
) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "files" / "net.pth")
    right = hashlib.sha256((tmp_path / "files" / "net.pth").read_bytes()).hexdigest()
    (tmp_path / "files" / "net-00000000.pth").symlink_to("net.pth")

    for address in (f"{server}/net-00000000.pth", f"{server}/net.pth#sha256=00000000"):
        with pytest.raises(CheckpointError, match=f"has the sha256 {right}, not 00000000"):
            CheckpointLoader.load_checkpoint(address)
    assert CheckpointLoader.load_checkpoint(f"{server}/net.pth#sha256={right}")["a"] == 1


def test_a_failed_download_says_where_to_put_the_file(server: str, cache: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        CheckpointLoader.load_checkpoint(f"{server}/absent.pth")

    assert f"cannot download {server}/absent.pth: HTTP Error 404" in str(caught.value)
    place = place_in_cache(f"{server}/absent.pth", cache)
    assert f"put it at {place}" in str(caught.value)
    assert list(cache.rglob("*.pth")) == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that would have been downloaded."""
    addresses: list[str] = []

    def note(filename: str, map_location: Any = None, model_dir: Any = None) -> dict[str, Any]:
        addresses.append(filename)
        return {"state_dict": {}}

    monkeypatch.setattr(zoos, "load_from_http", note)
    return addresses


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("torchvision://resnet50", "resnet50-0676ba61.pth"),
        ("modelzoo://resnet18", "resnet18-f37072fd.pth"),
        ("torchvision://resnet50.IMAGENET1K_V2", "resnet50-11ad3fa6.pth"),
        ("torchvision://ResNet50_Weights.IMAGENET1K_V2", "resnet50-11ad3fa6.pth"),
        ("torchvision://resnet50.default", "resnet50-11ad3fa6.pth"),
        ("open-mmlab://detectron2/resnet50_caffe", "resnet50_msra-5891d200.pth"),
        ("openmmlab://vgg16_caffe", "vgg16_caffe-292e1171.pth"),
    ],
)
def test_names_of_zoos_stand_for_addresses(asked: list[str], name: str, file: str) -> None:
    CheckpointLoader.load_checkpoint(name)

    (address,) = asked
    assert address.startswith("https://")
    assert address.rpartition("/")[2] == file


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision://resnet51", "no model 'resnet51'; nearest: 'resnet"),
        ("torchvision://resnet50.IMAGENET21K", "it has IMAGENET1K_V1, IMAGENET1K_V2"),
        ("open-mmlab://resnext101_32x4", "nearest: 'resnext101_32x4d'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    asked: list[str], name: str, message: str
) -> None:
    with pytest.raises(CheckpointError, match=re.escape(message)):
        CheckpointLoader.load_checkpoint(name)
    assert asked == []


def test_addresses_of_the_zoo_are_files_over_https() -> None:
    pattern = re.compile(r"https://download\.openmmlab\.com/\S+-[0-9a-f]{8}\.pth")
    addresses = [*OPEN_MMLAB.values(), *MMCLS.values()]
    assert all(pattern.fullmatch(address) for address in addresses)


def test_a_scheme_of_ones_own_is_found_by_the_longest_prefix() -> None:
    @CheckpointLoader.register_scheme("test-only://")
    def load_any(filename: str, map_location: Any = None) -> dict[str, Any]:
        return {"state_dict": {}, "from": filename}

    try:
        CheckpointLoader.register_scheme(
            "test-only://special/", lambda name, map_location=None: {"special": name}
        )
        assert load_checkpoint(torch.nn.ReLU(), "test-only://a")["from"] == "test-only://a"
        assert "special" in CheckpointLoader.load_checkpoint("test-only://special/a")
        with pytest.raises(KeyError, match="force=True"):
            CheckpointLoader.register_scheme("test-only://", load_any)
        CheckpointLoader.register_scheme("test-only://", load_any, force=True)
    finally:
        for prefix in ("test-only://", "test-only://special/"):
            CheckpointLoader._schemes.pop(prefix)
