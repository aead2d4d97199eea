"""Objects in files."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from cvcore.errors import FileError
from cvcore.fileio import BaseFileHandler, FileClient, dump, load, register_handler
from cvcore.fileio.formats import file_handlers


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.yaml", "a.yml"])
def test_plain_data_reads_back(tmp_path: Path, name: str) -> None:
    if "json" not in name:
        pytest.importorskip("yaml")
    tree = {"a": [1, 2.5, None, "é"], "b": {"c": True}}
    dump(tree, tmp_path / name)
    assert load(tmp_path / name) == tree
    assert load(str(tmp_path / name)) == tree
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.pkl.gz"])
def test_a_pickle_is_read_on_trust_only(tmp_path: Path, name: str) -> None:
    dump({"a": (1, 2)}, tmp_path / name)
    with pytest.raises(FileError, match=r"a\.p.*: reading a pickle can run any code .*trust=True"):
        load(tmp_path / name)
    assert load(tmp_path / name, trust=True) == {"a": (1, 2)}


class Trap:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


def test_an_untrusted_pickle_does_nothing(tmp_path: Path) -> None:
    path, canary = tmp_path / "a.pkl", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Trap(canary)))
    for file in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(FileError, match="trust=True"):
            load(file, file_format="pkl")
    assert not canary.exists()


def test_arrays_and_sets_are_lists_in_json() -> None:
    tree = {"a": np.arange(3), "b": np.float32(0.5), "c": {4}, "d": range(2)}
    assert dump(tree, file_format="json") == '{"a": [0, 1, 2], "b": 0.5, "c": [4], "d": [0, 1]}'
    with pytest.raises(TypeError, match="object has no JSON form"):
        dump(object(), file_format="json")


@pytest.mark.parametrize("name", ["a.toml", "a.toml.gz"])
def test_toml_reads_back_and_says_what_it_lacks(tmp_path: Path, name: str) -> None:
    tree = {"a": 1, "b.c": {"d": [1.5, True, "é\x7f"], "e": {}}, "list": [{"x": [[]]}]}
    dump({**tree, "tuple": (1, np.int64(2)), "array": np.eye(1)}, tmp_path / name)
    assert load(tmp_path / name) == {**tree, "tuple": [1, 2], "array": [[1.0]]}
    assert dump({"a": None}, file_format="toml", none="none") == 'a = "none"\n'
    with pytest.raises(FileError, match="TOML has no None"):
        dump({"a": [None]}, file_format="toml")
    with pytest.raises(FileError, match="a object has no TOML form"):
        dump({"a": object()}, file_format="toml")
    with pytest.raises(FileError, match="holds keys and values, not a list"):
        dump([1], file_format="toml")


@pytest.mark.parametrize("suffix", ["json", "pkl"])
def test_a_handler_reads_and_writes_a_path_by_itself(tmp_path: Path, suffix: str) -> None:
    handler = file_handlers[suffix]
    handler.dump_to_path({"a": 1}, tmp_path / "a")
    options = {"trust": True} if suffix == "pkl" else {}
    assert handler.load_from_path(tmp_path / "a", **options) == {"a": 1}


def test_open_files_and_texts_need_a_format() -> None:
    file = io.StringIO()
    dump([1], file, file_format="json", indent=None)
    assert load(io.StringIO(file.getvalue()), file_format="json") == [1]
    assert pickle.loads(bytes(dump([2], file_format="pkl"))) == [2]  # type: ignore[arg-type]
    with pytest.raises(FileError, match="file_format must be given where there is no file"):
        dump([1])
    with pytest.raises(FileError, match="file_format must be given for an open file"):
        load(io.StringIO("[]"))


def test_an_address_chooses_the_storage() -> None:
    dump({"a": 1}, "memory://formats/a.json")
    assert FileClient("memory").get("memory://formats/a.json") == b'{"a": 1}'
    assert load("memory://formats/a.json", file_client_args={"backend": "memory"}) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b"{", r"cannot read .*a\.json"),
        ("a.json.gz", b"no gzip", r"cannot read .*a\.json\.gz"),
        ("a.xyz", b"", r"cannot read or write 'xyz' .*known formats: json, "),
        ("plain", b"", r"cannot read or write 'plain'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FileError, match=message):
        load(tmp_path / name)


def test_equal_objects_make_equal_zipped_files(tmp_path: Path) -> None:
    dump({"a": 1}, tmp_path / "a.json.gz")
    dump({"a": 1}, tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_format_of_the_user_takes_suffixes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvcore.fileio.formats.file_handlers", dict(file_handlers))

    @register_handler(["words", "wds"])
    class Words(BaseFileHandler):
        def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> list[str]:
            return str(file.read()).split()

        def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
            file.write(self.dump_to_str(obj))

        def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
            return " ".join(obj)

    dump(["a", "b"], tmp_path / "x.wds")
    assert load(tmp_path / "x.wds") == ["a", "b"]
    with pytest.raises(TypeError, match="a handler is a subclass"):
        register_handler("x")(dict)  # type: ignore[arg-type]
