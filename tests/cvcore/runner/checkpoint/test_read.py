from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvcore.errors import CheckpointError
from cvcore.runner import MissingCheckpointError, save_checkpoint
from cvcore.runner.checkpoint import read_checkpoint, verify_file


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "epoch_1.pth"
    save_checkpoint(nn.Linear(64, 64), path, meta={"epoch": 1})
    return path


def test_a_whole_file_passes_and_stays_a_plain_archive(saved: Path) -> None:
    assert verify_file(saved)
    assert zipfile.ZipFile(saved).testzip() is None
    assert torch.load(saved, weights_only=True)["meta"]["epoch"] == 1
    assert read_checkpoint(str(saved))["meta"]["epoch"] == 1


@pytest.mark.parametrize("place", [0.001, 0.1, 0.5, 0.9, 0.985])
def test_a_single_flipped_bit_is_found(saved: Path, place: float) -> None:
    data = bytearray(saved.read_bytes())
    data[int(len(data) * place)] ^= 1
    saved.write_bytes(data)

    with pytest.raises(CheckpointError, match=r"epoch_1\.pth is damaged.*earlier one"):
        read_checkpoint(saved)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99, 0.999])
def test_a_truncated_file_is_found(saved: Path, part: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * part)])

    with pytest.raises(CheckpointError, match=r"epoch_1\.pth is damaged"):
        read_checkpoint(saved)


def test_a_missing_file_is_also_a_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nowhere\.pth"):
        read_checkpoint(tmp_path / "nowhere.pth")
    assert issubclass(MissingCheckpointError, CheckpointError)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "was_executed"),)

    torch.save({"state_dict": {}, "meta": Attack()}, tmp_path / "bad.pth")
    with pytest.raises(
        CheckpointError, match=r"more than data: it names \w+\.mkdir.*weights_only=False"
    ):
        read_checkpoint(tmp_path / "bad.pth")
    assert not (tmp_path / "was_executed").exists()


def test_a_web_page_saved_as_a_checkpoint_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<html>404</html>")
    with pytest.raises(CheckpointError, match=r"page\.pth is damaged: it is not in torch's format"):
        read_checkpoint(tmp_path / "page.pth")


def test_getattr_in_a_file_looks_nothing_up(tmp_path: Path) -> None:
    class Asks:
        def __reduce__(self) -> Any:
            return getattr, ("text", "upper")

    torch.save({"meta": Asks()}, tmp_path / "asks.pth")
    value = read_checkpoint(tmp_path / "asks.pth")["meta"]
    assert value.arguments == ("text", "upper")
    assert not callable(value)


def test_numpy_numbers_and_arrays_of_older_files_are_read(tmp_path: Path) -> None:
    meta = {
        "hook_msgs": {"best_score": np.float64(0.25), "count": np.int32(3)},
        "boxes": np.arange(4, dtype=np.float32),
    }
    torch.save({"state_dict": OrderedDict(), "meta": meta}, tmp_path / "old.pth")

    read = read_checkpoint(tmp_path / "old.pth")["meta"]
    assert (read["hook_msgs"]["best_score"], read["hook_msgs"]["count"]) == (0.25, 3)
    assert read["boxes"].tolist() == [0, 1, 2, 3]


def test_files_of_the_layout_before_archives_are_read(tmp_path: Path) -> None:
    torch.save(
        {"state_dict": {"a": torch.ones(2)}},
        tmp_path / "old.pth",
        _use_new_zipfile_serialization=False,
    )
    assert not verify_file(tmp_path / "old.pth")
    assert read_checkpoint(tmp_path / "old.pth")["state_dict"]["a"].tolist() == [1, 1]


def test_logs_of_a_later_runner_are_passed_over(tmp_path: Path) -> None:
    """A file may name mmengine's HistoryBuffer, which need not be installed."""
    path = tmp_path / "later.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}, "message_hub": "PLACE"}, path)
    # An object of that class, as protocol 2 writes it: find the class, call __new__, set the state.
    call = b"cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81}X\x01\x00\x00\x00nK\x05sb"
    _replace_in_pickle(path, pickle.dumps("PLACE", protocol=2)[2:-1], call)

    content = read_checkpoint(path)
    assert content["state_dict"]["a"].tolist() == [1]
    assert content["message_hub"].n == 5


def _replace_in_pickle(path: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in entries if name.endswith("data.pkl")]
    start = old.split(b"q")[0]
    assert start in entries[name]
    # The text is memoised; the object takes its place on the stack and in the memo.
    entries[name] = entries[name].replace(start, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for each, data in entries.items():
            archive.writestr(each, data)
