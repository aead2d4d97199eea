"""Messages that say what, where and the remedy."""

from __future__ import annotations

import json
import pickle

import pytest

from cvcore.errors import (
    ImageDecodeError,
    MissingExtraError,
    RegistryError,
    hint,
    nearest,
    requires,
)


def test_a_registry_error_reads_as_written() -> None:
    error = RegistryError("no 'x'")
    assert str(error) == "no 'x'"
    assert isinstance(error, KeyError)


def test_an_image_error_names_the_file_and_survives_another_process() -> None:
    error = pickle.loads(pickle.dumps(ImageDecodeError("a.jpg", "truncated")))
    assert (error.path, error.cause) == ("a.jpg", "truncated")
    assert str(error) == "cannot decode image a.jpg: truncated"
    assert str(ImageDecodeError(None, "empty")) == "cannot decode image <bytes>: empty"


def test_nearest_names_come_best_first_whatever_their_case() -> None:
    assert nearest("resnt", ["VGG", "ResNeXt", "ResNet"]) == ["ResNet", "ResNeXt"]
    assert nearest("fpn", ["FPN", "fpn"]) == ["FPN", "fpn"]
    assert hint("dpth", ["depth"]) == "; nearest: 'depth'"
    assert hint("zzz", ["depth"]) == ""


def test_a_missing_extra_names_the_pip_line() -> None:
    assert requires("json", extra="any") is json
    with pytest.raises(MissingExtraError, match=r"pip install 'detcore\[export\]'") as caught:
        requires("no_such_module_x.part", extra="export", distribution="detcore")
    assert isinstance(caught.value, ImportError)


def test_an_extra_that_lacks_something_itself_says_that(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "half_module_x.py").write_text("import no_such_module_y", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_y") as caught:
        requires("half_module_x", extra="any")
    assert not isinstance(caught.value, MissingExtraError)
