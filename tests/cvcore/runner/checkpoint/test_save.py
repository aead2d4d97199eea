from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvcore.errors import CheckpointError
from cvcore.fileio import FileClient
from cvcore.parallel import MMDataParallel
from cvcore.runner import (
    BaseRunner,
    get_state_dict,
    load_checkpoint,
    save_checkpoint,
    weights_to_cpu,
)
from cvcore.runner.checkpoint import point_latest_to
from cvcore.runner.checkpoint.plain import to_plain


def test_a_checkpoint_has_the_layout_that_readers_know(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    model.CLASSES = ("cat", "dog")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    path = tmp_path / "new" / "folder" / "one.pth"

    save_checkpoint(MMDataParallel(model, device_ids=[-1]), path, optimizer, {"epoch": 3})

    content = torch.load(path, weights_only=True)
    assert sorted(content) == ["meta", "optimizer", "state_dict"]
    assert list(content["state_dict"]) == ["weight", "bias"]
    assert content["meta"]["epoch"] == 3
    assert content["meta"]["CLASSES"] == ("cat", "dog")
    assert set(content["meta"]) >= {"time", "cvcore_version", "torch_version"}
    assert content["optimizer"]["param_groups"][0]["lr"] == 0.1


def test_several_optimizers_are_saved_by_name(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    one, two = (torch.optim.SGD(model.parameters(), lr=lr) for lr in (0.1, 0.2))

    save_checkpoint(model, tmp_path / "a.pth", {"one": one, "two": two})

    saved = torch.load(tmp_path / "a.pth", weights_only=True)["optimizer"]
    assert {name: state["param_groups"][0]["lr"] for name, state in saved.items()} == {
        "one": 0.1,
        "two": 0.2,
    }


def test_meta_becomes_plain_data(tmp_path: Path) -> None:
    class Text(str):
        __slots__ = ()

    given = {
        "score": np.float64(0.5),
        "ids": np.arange(3),
        "path": tmp_path,
        "nested": {"text": Text("a"), "names": ("b", {np.int64(4)})},
    }
    save_checkpoint(nn.Linear(1, 1), tmp_path / "a.pth", meta=given)

    meta = torch.load(tmp_path / "a.pth", weights_only=True)["meta"]
    assert {key: meta[key] for key in given} == {
        "score": 0.5,
        "ids": [0, 1, 2],
        "path": str(tmp_path),
        "nested": {"text": "a", "names": ("b", (4,))},
    }


def test_what_is_not_data_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"meta\.hook\.model\[1\] is of type .*Linear"):
        save_checkpoint(
            nn.Linear(1, 1), tmp_path / "a.pth", meta={"hook": {"model": [1, nn.Linear(1, 1)]}}
        )
    assert list(tmp_path.iterdir()) == []


def test_wrappers_inside_a_model_leave_no_trace_in_the_keys() -> None:
    inner = nn.Sequential(nn.BatchNorm1d(2))
    model = nn.ModuleDict({"head": MMDataParallel(inner, device_ids=[-1])})

    keys = list(get_state_dict(model))

    assert keys == [f"head.0.{name}" for name in inner[0].state_dict()]
    plain = get_state_dict(inner)
    assert plain._metadata == inner.state_dict()._metadata
    assert weights_to_cpu(plain)._metadata == plain._metadata


def test_a_full_disk_leaves_the_checkpoint_before_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Linear(2, 1)
    path = tmp_path / "a.pth"
    save_checkpoint(model, path, meta={"epoch": 1})
    before = path.read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CheckpointError, match=r"No space left on device.*free space"):
        save_checkpoint(model, path, meta={"epoch": 2})

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.pth"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/a\.pth"):
        save_checkpoint(nn.Linear(1, 1), tmp_path / "file" / "a.pth")


def test_latest_points_to_the_newest(tmp_path: Path) -> None:
    for name in ("epoch_1.pth", "epoch_2.pth"):
        (tmp_path / name).write_text(name)
        point_latest_to(tmp_path / name)
        assert (tmp_path / "latest.pth").read_text() == name

    assert (tmp_path / "latest.pth").is_symlink()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "epoch_1.pth",
        "epoch_2.pth",
        "latest.pth",
    ]


def test_latest_is_a_copy_where_links_are_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: str) -> None:
        raise OSError("links need a privilege")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "epoch_1.pth").write_text("one")
    point_latest_to(tmp_path / "epoch_1.pth")

    assert (tmp_path / "latest.pth").read_text() == "one"
    assert not (tmp_path / "latest.pth").is_symlink()


def test_a_checkpoint_can_go_to_another_storage(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    save_checkpoint(
        model, str(tmp_path / "far.pth"), file_client_args={"backend": "disk"}, meta={"epoch": 1}
    )

    loaded = load_checkpoint(nn.Linear(2, 1), tmp_path / "far.pth", strict=True)
    assert loaded["meta"]["epoch"] == 1
    assert FileClient.infer_client(uri=str(tmp_path)).isfile(str(tmp_path / "far.pth"))


def test_a_runner_saves_under_the_number_of_the_epoch(
    make_runner: Callable[..., BaseRunner], tmp_path: Path
) -> None:
    runner = make_runner(max_epochs=2, meta={"seed": 1})
    runner._epoch, runner._iter = 1, 5
    runner.save_checkpoint(tmp_path, save_optimizer=False, meta={"seed": 2, "note": "x"})

    content = torch.load(tmp_path / "epoch_2.pth", weights_only=True)
    assert "optimizer" not in content
    assert {key: content["meta"][key] for key in ("seed", "note", "iter")} == {
        "seed": 1,
        "note": "x",
        "iter": 5,
    }
    with pytest.raises(TypeError, match="meta"):
        runner.save_checkpoint(tmp_path, meta="seed")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [torch.ones(2), None, True, 1.5, torch.float16, b"x"])
def test_plain_values_stay_as_they_are(value: Any) -> None:
    assert to_plain(value) is value
