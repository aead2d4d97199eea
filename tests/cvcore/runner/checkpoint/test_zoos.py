"""Weights of other libraries, by their documented calls."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from cvcore.errors import CheckpointError, MissingExtraError
from cvcore.fileio import FileClient
from cvcore.runner import CheckpointLoader, load_checkpoint
from cvcore.runner.checkpoint import zoos


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.pth"
    torch.save({"state_dict": {"weight": torch.full((1, 2), 3.0), "bias": torch.zeros(1)}}, path)
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, saved: Path) -> list[tuple[str, str, str | None]]:
    """What a hub is asked for: repository, file and revision."""
    asked: list[tuple[str, str, str | None]] = []

    def hf_hub_download(repo_id: str, filename: str, *, revision: str | None = None) -> str:
        asked.append((repo_id, filename, revision))
        if "absent" in filename:
            raise OSError("404 Client Error")
        return str(saved)

    module = ModuleType("huggingface_hub")
    module.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return asked


def test_a_file_of_the_hub_is_named_by_repository_revision_and_path(
    hub: list[tuple[str, str, str | None]],
) -> None:
    model = nn.Linear(2, 1)
    load_checkpoint(model, "hf://owner/repo/sub/net.pth")
    load_checkpoint(model, "hf://owner/repo@v1.0/net.pth")
    assert model.weight.tolist() == [[3.0, 3.0]]
    assert hub == [("owner/repo", "sub/net.pth", None), ("owner/repo", "net.pth", "v1.0")]
    with pytest.raises(CheckpointError, match=r"cannot get hf://o/r/absent\.pth .*404"):
        CheckpointLoader.load_checkpoint("hf://o/r/absent.pth")
    with pytest.raises(CheckpointError, match="the form is hf://owner/repository/file"):
        CheckpointLoader.load_checkpoint("hf://repo/net.pth")


def test_weights_in_safetensors_are_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch", reason="get it: pip install 'cvcore[hf]'")
    library.save_file(
        {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, tmp_path / "a.safetensors"
    )
    model = nn.Linear(2, 1)
    load_checkpoint(model, tmp_path / "a.safetensors", map_location="cpu", strict=True)
    assert model.bias.tolist() == [1.0]
    (tmp_path / "b.safetensors").write_bytes(b"not that format")
    with pytest.raises(CheckpointError, match=r"b\.safetensors is damaged"):
        load_checkpoint(model, tmp_path / "b.safetensors")


def test_a_model_of_timm_gives_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(name: str, pretrained: bool = False) -> nn.Module:
        if name == "linear.offline":
            raise OSError("no connection")
        assert pretrained
        return nn.Linear(2, 1)

    module = ModuleType("timm")
    module.list_models = lambda pretrained: ["linear.in1k", "linear.offline"]  # type: ignore[attr-defined]
    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    for name in ("linear", "linear.in1k"):
        loaded = CheckpointLoader.load_checkpoint(f"timm://{name}", map_location="cpu")
        assert list(loaded["state_dict"]) == ["weight", "bias"]
    with pytest.raises(
        CheckpointError, match=r"no pretrained model 'linear\.in22k'; nearest: 'lin"
    ):
        CheckpointLoader.load_checkpoint("timm://linear.in22k")
    with pytest.raises(CheckpointError, match=r"timm://linear\.offline: no connection"):
        CheckpointLoader.load_checkpoint("timm://linear.offline")


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [("huggingface_hub", "hf://o/r/a.pth", "hf"), ("timm", "timm://resnet18", "timm")],
)
def test_without_the_library_the_pip_line_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, address: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'cvcore\[{extra}\]'"):
        CheckpointLoader.load_checkpoint(address)


def test_a_classifier_of_the_zoo_gives_its_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    states: list[dict[str, Any]] = [{"backbone.a": 1, "head.fc.b": 2}, {"a": 1}]

    def note(address: str, map_location: Any) -> dict[str, Any]:
        asked.append(address)
        return {"state_dict": states.pop(0)}

    monkeypatch.setattr(zoos, "load_from_http", note)
    loaded = CheckpointLoader.load_checkpoint("mmcls://mobilenet_v2")
    assert loaded["state_dict"] == {"a": 1}
    assert asked[0].endswith("/mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth")
    with pytest.raises(CheckpointError, match="has no keys below 'backbone'"):
        CheckpointLoader.load_checkpoint("mmcls://resnet50")
    with pytest.raises(CheckpointError, match="have no 'resnet51'; nearest: 'resnet"):
        CheckpointLoader.load_checkpoint("mmcls://resnet51")


def test_a_cloud_is_read_through_the_storage_of_its_prefix(
    monkeypatch: pytest.MonkeyPatch, saved: Path
) -> None:
    class Cloud(type(FileClient("memory").client)):  # type: ignore[misc]
        """Files in memory in place of a cloud."""

    for table in ("_backends", "_prefixes", "_instances"):
        monkeypatch.setattr(FileClient, table, dict(getattr(FileClient, table)))
    FileClient.register_backend("cloud", Cloud, prefixes="s3", force=True)
    FileClient(prefix="s3").put(saved.read_bytes(), "s3://bucket/net.pth")
    loaded = CheckpointLoader.load_checkpoint("s3://bucket/net.pth")
    assert loaded["state_dict"]["bias"] == 0
    with pytest.raises(CheckpointError, match=r"no file 's3://bucket/nut\.pth'"):
        CheckpointLoader.load_checkpoint("s3://bucket/nut.pth")
    with pytest.raises(CheckpointError, match="the client of pavi is not public"):
        CheckpointLoader.load_checkpoint("pavi://net")
