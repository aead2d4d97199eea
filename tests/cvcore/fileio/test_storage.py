"""Disk, web server and memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cvcore.errors import FileError
from cvcore.fileio import (
    BaseStorageBackend,
    FileClient,
    HardDiskBackend,
    HTTPBackend,
    MemoryBackend,
)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/a.txt"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write("héllo".encode())

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture
def own_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_backends", "_prefixes", "_instances"):
        monkeypatch.setattr(FileClient, table, dict(getattr(FileClient, table)))


def test_a_disk_holds_bytes_and_texts(tmp_path: Path) -> None:
    disk = HardDiskBackend()
    path = tmp_path / "new" / "a.txt"
    disk.put_text("é", path)
    assert disk.get(path) == "é".encode()
    assert disk.get_text(path) == "é"
    disk.put(b"x", str(path))
    assert (disk.exists(path), disk.isfile(path), disk.isdir(path.parent)) == (True, True, True)
    with disk.get_local_path(path) as local:
        assert Path(local) == path
    disk.remove(path)
    assert not disk.exists(path)
    assert disk.join_path("a", "b", "c.txt") == str(Path("a/b/c.txt"))
    assert (disk.name, disk.allow_symlink) == ("HardDiskBackend", True)


def test_a_disk_lists_files_and_folders(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", "a/d/e.json", ".x/f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    disk = HardDiskBackend()
    assert list(disk.list_dir_or_file(tmp_path)) == ["b.txt", "a"]
    assert list(disk.list_dir_or_file(tmp_path, list_file=False, recursive=True)) == ["a", "a/d"]
    assert list(disk.list_dir_or_file(tmp_path, list_dir=False, suffix=".txt", recursive=True)) == [
        "a/c.txt",
        "b.txt",
    ]
    with pytest.raises(TypeError, match="list_dir=False"):
        list(disk.list_dir_or_file(tmp_path, suffix=".txt"))


def test_a_web_server_is_read(server: str) -> None:
    web = HTTPBackend(timeout=5)
    assert web.get_text(f"{server}/a.txt") == "héllo"
    with web.get_local_path(f"{server}/a.txt") as local:
        assert Path(local).suffix == ".txt"
        assert Path(local).read_text(encoding="utf-8") == "héllo"
    assert not Path(local).exists()
    with pytest.raises(FileError, match=r"cannot read http.*/b\.txt: HTTP Error 404"):
        web.get(f"{server}/b.txt")
    with pytest.raises(FileError, match="HTTPBackend cannot write files"):
        web.put(b"", f"{server}/a.txt")


def test_a_web_backend_reads_no_files_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no address of a web server"):
        HTTPBackend().get((tmp_path / "a").as_uri())


def test_memory_is_shared_by_name() -> None:
    one, same, other = MemoryBackend("s1"), MemoryBackend("s1"), MemoryBackend("s2")
    one.put_text("x", "memory://a/b.txt")
    assert same.get_text("memory://a/b.txt") == "x"
    assert not other.exists("memory://a/b.txt")
    assert one.isdir("memory://a")
    assert one.join_path("memory://a/", "/b.txt") == "memory://a/b.txt"
    with pytest.raises(FileError, match=r"no file 'memory://a/c.txt' in memory; nearest: .*b\.txt"):
        one.get("memory://a/c.txt")
    one.remove("memory://a/b.txt")
    assert not same.exists("memory://a/b.txt")


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("https://x/a", "https"),
        ("name:s3://bucket/a", "s3"),
        ("/data/a", None),
        (Path("data/a"), None),
        ("C:/data/a", None),
    ],
)
def test_an_address_has_a_prefix_and_a_path_none(uri: Any, prefix: str | None) -> None:
    assert FileClient.parse_uri_prefix(uri) == prefix


def test_a_client_is_chosen_by_name_prefix_or_address(tmp_path: Path) -> None:
    assert isinstance(FileClient().client, HardDiskBackend)
    assert isinstance(FileClient("memory").client, MemoryBackend)
    assert isinstance(FileClient(prefix="https").client, HTTPBackend)
    assert isinstance(FileClient.infer_client(uri="http://x/a").client, HTTPBackend)
    assert isinstance(FileClient.infer_client(uri=tmp_path).client, HardDiskBackend)
    assert isinstance(FileClient.infer_client({"backend": "http"}, "a").client, HTTPBackend)
    assert FileClient("http", timeout=3) is FileClient("http", timeout=3)
    assert FileClient("http", timeout=3) is not FileClient("http", timeout=4)
    for wrong in ({"backend": "dsk"}, {"prefix": "ftp"}):
        with pytest.raises(FileError, match=r"no storage (backend 'dsk'|prefix 'ftp'); known: "):
            FileClient(**wrong)


def test_a_client_does_what_its_backend_does(tmp_path: Path) -> None:
    client = FileClient("disk")
    path = client.join_path(tmp_path, "a.txt")
    client.put_text("x", path)
    client.put(client.get(path) + b"y", path)
    assert client.get_text(path) == "xy"
    assert (client.exists(path), client.isfile(path), client.isdir(tmp_path)) == (True,) * 3
    assert list(client.list_dir_or_file(tmp_path)) == ["a.txt"]
    with client.get_local_path(path) as local:
        assert local == path
    client.remove(path)
    assert not client.exists(path)
    assert (client.name, client.allow_symlink) == ("HardDiskBackend", True)


@pytest.mark.usefixtures("own_backends")
def test_a_backend_of_the_user_takes_a_name_and_prefixes() -> None:
    @FileClient.register_backend("upper", prefixes=["up"])
    class Upper(BaseStorageBackend):
        def get(self, filepath: str | Path) -> bytes:
            return str(filepath).upper().encode()

        def get_text(self, filepath: str | Path, encoding: str = "utf-8") -> str:
            return self.get(filepath).decode(encoding)

    assert FileClient("upper").get("a") == b"A"
    assert FileClient.infer_client(uri="up://a").get_text("up://a") == "UP://A"
    with pytest.raises(FileError, match="backend 'upper' exists; pass force=True"):
        FileClient.register_backend("upper", Upper)
    with pytest.raises(FileError, match="prefix 'http' exists"):
        FileClient.register_backend("other", Upper, prefixes="http")
    with pytest.raises(FileError, match="Upper cannot list files"):
        FileClient("upper").list_dir_or_file("a")
    FileClient.register_backend("disk", Upper, force=True)
    assert FileClient().get("a") == b"A"
    with pytest.raises(TypeError, match="a backend is a subclass"):
        FileClient.register_backend("x", dict)  # type: ignore[arg-type]
