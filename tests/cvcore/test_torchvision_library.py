"""torchvision's libraries without its package, and what happens without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cvcore import torchvision_library
from cvcore.torchvision_library import library_path, operators


@pytest.fixture(autouse=True)
def _loaded_anew() -> Iterator[None]:
    operators.cache_clear()
    yield
    operators.cache_clear()


@pytest.mark.parametrize(
    ("library", "namespace", "name"),
    [("_C", "torchvision", "nms"), ("image", "image", "decode_jpeg")],
)
def test_the_operators_of_a_library_are_found(library: str, namespace: str, name: str) -> None:
    assert library_path(library) is not None
    assert hasattr(operators(library, namespace), name)


def test_what_is_no_library_or_does_not_load_has_no_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operators("no_such", "torchvision") is None
    broken = tmp_path / "_C.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(torchvision_library, "library_path", lambda library: broken)
    assert operators("_C", "torchvision") is None
    assert torch.ops.torchvision is not None
