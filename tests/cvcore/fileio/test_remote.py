"""Files of fsspec's storages, on its own file system in memory."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvcore.errors import FileError, MissingExtraError
from cvcore.fileio import FileClient, FsspecBackend, HardDiskBackend, load

fsspec = pytest.importorskip("fsspec", reason="get it with: pip install 'cvcore[fsspec]'")


@pytest.fixture
def bucket() -> Iterator[str]:
    yield "memory://bucket"
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def test_files_are_written_read_and_removed(bucket: str) -> None:
    client = FileClient("fsspec")
    path = client.join_path(bucket, "sub", "a.json")
    client.put_text('{"é": 1}', path)
    assert client.get_text(path) == '{"é": 1}'
    assert load(path, file_client_args={"backend": "fsspec"}) == {"é": 1}
    assert (client.exists(path), client.isfile(path), client.isdir(f"{bucket}/sub")) == (True,) * 3
    with client.get_local_path(path) as local:
        assert Path(local).read_text(encoding="utf-8") == '{"é": 1}'
    client.remove(path)
    assert not client.isfile(path)
    for act in (client.get, client.remove):
        with pytest.raises(FileError, match=r"cannot (read|remove) memory://bucket/sub/a\.json"):
            act(path)


def test_files_are_listed_like_those_of_a_disk(bucket: str, tmp_path: Path) -> None:
    remote, disk = FsspecBackend(), HardDiskBackend()
    for name in ("b.txt", "a/c.txt", "a/d/e.json", ".x/f.txt"):
        remote.put(b"", f"{bucket}/{name}")
        disk.put(b"", tmp_path / name)
    for options in (
        {},
        {"recursive": True},
        {"list_file": False, "recursive": True},
        {"list_dir": False, "suffix": ".txt", "recursive": True},
    ):
        here = sorted(remote.list_dir_or_file(bucket, **options))
        assert here == sorted(disk.list_dir_or_file(tmp_path, **options))
    with pytest.raises(TypeError, match="list_dir=False"):
        list(remote.list_dir_or_file(bucket, suffix=".txt"))


def test_addresses_of_clouds_choose_fsspec_and_a_missing_driver_names_the_pip_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(FileClient.infer_client(uri="hf://org/repo/a.pth").client, FsspecBackend)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"s3:// is not installed: pip install 'cvcore\[s3"):
        FileClient.infer_client(uri="s3://bucket/a.json").get("s3://bucket/a.json")
    with pytest.raises(FileError, match="nowhere"):
        FsspecBackend().get("nowhere://a")


@pytest.mark.parametrize("name", ["petrel", "ceph"])
def test_a_storage_without_a_public_client_says_what_to_use(name: str) -> None:
    with pytest.raises(FileError, match=r"its client is not public; .* 'fsspec'"):
        FileClient(name)


def test_a_client_travels_to_another_process_as_its_arguments(bucket: str) -> None:
    disk, remote = FileClient(), FileClient("fsspec", skip_instance_cache=True)
    remote.put(b"x", f"{bucket}/a")
    assert pickle.loads(pickle.dumps(remote)) is remote
    assert pickle.loads(pickle.dumps(disk)) is disk
    assert isinstance(FileClient().client, HardDiskBackend)
