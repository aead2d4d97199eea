"""Whatever bytes a checkpoint file holds, reading gives data or a CheckpointError."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cvcore.errors import CheckpointError
from cvcore.runner import save_checkpoint
from cvcore.runner.checkpoint import read_checkpoint


class Calls:
    """A pickle that calls a function when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _foreign(old: bool) -> bytes:
    buffer = io.BytesIO()
    content = {"state_dict": {"a": torch.ones(3)}, "meta": {"epoch": 1}}
    torch.save(content, buffer, _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


FUNCTIONS = (os.mkdir, eval, exec, os.system, pickle.loads, open, getattr)
arguments = st.one_of(st.just("WAS_RUN"), st.text(max_size=5), st.integers(), st.none())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("fuzz")
    before = Path.cwd()
    os.chdir(path)
    yield path
    os.chdir(before)
    assert not (path / "WAS_RUN").exists()


@pytest.fixture(scope="module")
def sources(folder: Path) -> list[bytes]:
    torch.manual_seed(0)
    save_checkpoint(nn.Linear(3, 3), folder / "own.pth", meta={"epoch": 1})
    return [(folder / "own.pth").read_bytes(), _foreign(False), _foreign(True)]


def read(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        read_checkpoint(path, map_location="cpu")
    except CheckpointError:
        return
    finally:
        path.unlink()


@settings(settings.get_profile("fuzz"))
@given(data=st.data())
def test_any_damage(data: st.DataObject, folder: Path, sources: list[bytes]) -> None:
    content = bytearray(data.draw(st.sampled_from(sources)))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, max(len(content) - 1, 0)))
        if data.draw(st.booleans()) and content:
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        elif data.draw(st.booleans()):
            del content[place : place + data.draw(st.integers(1, 60))]
        else:
            content[place:place] = data.draw(st.binary(max_size=20))
    read(folder / "damaged.pth", bytes(content))


@settings(settings.get_profile("fuzz"))
@given(function=st.sampled_from(FUNCTIONS), given_arguments=st.lists(arguments, max_size=3))
def test_any_call(function: Any, given_arguments: list[Any], folder: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"state_dict": {}, "meta": Calls(function, *given_arguments)}, buffer)
    read(folder / "calls.pth", buffer.getvalue())
    assert not (folder / "WAS_RUN").exists()


@settings(settings.get_profile("fuzz"))
@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    read(Path("bytes.pth"), data)
