"""Files inside LMDB and memcached, with the real libraries."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.processes import Process, free_port

from cvcore.errors import FileError
from cvcore.fileio import FileClient, LmdbBackend, MemcachedBackend, dump, list_from_file, load

FILES = {"train/a.jpg": b"A", "train/x/b.jpg": b"B", "train.txt": "é\n".encode(), "val/c.png": b""}


@pytest.fixture
def database(tmp_path: Path) -> LmdbBackend:
    pytest.importorskip("lmdb", reason="get it with: pip install 'cvcore[lmdb]'")
    store = LmdbBackend(tmp_path / "set.lmdb", readonly=False, map_size=2**20)
    for name, data in FILES.items():
        store.put(data, name)
    return store


def test_a_database_holds_files_under_their_paths(database: LmdbBackend) -> None:
    assert database.get("train/x/b.jpg") == b"B"
    assert database.get("val/c.png") == b""
    assert database.get_text("train.txt") == "é\n"
    with database.get_local_path("train/a.jpg") as local:
        assert Path(local).read_bytes() == b"A"
    assert (database.isfile("train"), database.isdir("train"), database.exists("train")) == (
        False,
        True,
        True,
    )
    database.remove("train/a.jpg")
    assert not database.exists("train/a.jpg")
    for act in (database.get, database.remove):
        with pytest.raises(FileError, match=r"set\.lmdb has no key 'train/a\.jpg'"):
            act("train/a.jpg")


def test_a_database_is_listed_like_a_folder(database: LmdbBackend) -> None:
    assert list(database.list_dir_or_file("train")) == ["a.jpg", "x"]
    assert list(database.list_dir_or_file("train", list_dir=False)) == ["a.jpg"]
    assert list(database.list_dir_or_file("", list_dir=False, recursive=True, suffix=".jpg")) == [
        "train/a.jpg",
        "train/x/b.jpg",
    ]
    assert list(database.list_dir_or_file("", list_file=False, recursive=True)) == [
        "train",
        "train/x",
        "val",
    ]


def test_a_database_for_reading_is_not_written(database: LmdbBackend, tmp_path: Path) -> None:
    database.environment.close()
    reader = LmdbBackend(tmp_path / "set.lmdb")
    assert reader.get("train/a.jpg") == b"A"
    for act in (lambda: reader.put(b"", "x"), lambda: reader.remove("train/a.jpg")):
        with pytest.raises(FileError, match="pass readonly=False"):
            act()
    with pytest.raises(FileError, match=r"there is no LMDB database at .*absent"):
        LmdbBackend(tmp_path / "absent").get("a")


def read_in_worker(store: LmdbBackend, name: str) -> bytes:
    return store.get(name)


def test_a_worker_opens_the_database_anew(database: LmdbBackend, tmp_path: Path) -> None:
    database.environment.close()
    reader = LmdbBackend(tmp_path / "set.lmdb")
    before = reader.environment
    copy = pickle.loads(pickle.dumps(reader))
    assert copy._environment is None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_in_worker, (reader, "train/a.jpg")) == b"A"
    reader._process = -1  # as after a fork
    before.close()
    assert reader.get("train/a.jpg") == b"A"
    assert reader.environment is not before


def test_a_client_reads_lines_and_objects_from_a_database(
    database: LmdbBackend, tmp_path: Path
) -> None:
    database.put(b'{"a": 1}', "a.json")
    database.environment.close()
    arguments = {"backend": "lmdb", "db_path": str(tmp_path / "set.lmdb")}
    assert load("a.json", file_client_args=arguments) == {"a": 1}
    assert list_from_file("train.txt", file_client_args=arguments) == ["é"]


@pytest.fixture(scope="module")
def memcached() -> Iterator[str]:
    """The address of a memcached server of this test alone, which takes items of up to 1 MB."""
    program = shutil.which("memcached")
    if program is None:
        pytest.skip("no memcached program; on Debian: apt-get install memcached")
    pytest.importorskip("pymemcache", reason="get it with: pip install 'cvcore[memcached]'")
    port = free_port()
    command = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "16", "-u", "nobody"]
    with Process(command) as server:
        while not answers(port):
            assert server.is_alive(), server.errors()
            server.look_at_the_clock("an answer")
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"


def answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def test_a_cache_fills_itself_from_the_disk(memcached: str, tmp_path: Path) -> None:
    path = tmp_path / "a b é.txt"  # memcached itself takes no such key
    path.write_text("first", encoding="utf-8")
    cache = MemcachedBackend(memcached)
    assert cache.get_text(path) == "first"
    path.write_text("second", encoding="utf-8")
    assert cache.get_text(path) == "first"
    cache.remove(path)
    assert cache.get_text(path) == "second"
    path.unlink()
    assert cache.isfile(path)
    cache.remove(path)
    assert not cache.exists(path)
    with pytest.raises(FileError, match="no memcached server of 127"):
        cache.remove(path)


def test_a_cache_that_does_not_read_through_has_what_was_put_there(
    memcached: str, tmp_path: Path
) -> None:
    servers = tmp_path / "servers.conf"
    servers.write_text(f"# one\n{memcached}\n", encoding="utf-8")
    client = FileClient("memcached", server_list_cfg=str(servers), read_through=False)
    client.put(b"x" * 300_000, "k" * 300)
    assert client.get("k" * 300) == b"x" * 300_000
    with pytest.raises(FileError, match=r"no memcached server of .* has 'absent'"):
        client.get("absent")
    dump([1], "a.json", file_client_args={"backend": "memcached", "server_list_cfg": memcached})
    assert client.get("a.json") == b"[1]"


def test_what_is_too_large_for_the_cache_is_read_from_the_disk(
    memcached: str, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(2_000_000))
    cache = pickle.loads(pickle.dumps(MemcachedBackend([memcached])))
    assert len(cache.get(path)) == 2_000_000
    with pytest.raises(FileError, match=r"large\.bin' of 2000000 bytes; .*memcached -I"):
        cache.put(bytes(2_000_000), path)


def test_servers_that_are_away_or_misspelt_are_named(tmp_path: Path) -> None:
    pytest.importorskip("pymemcache", reason="get it with: pip install 'cvcore[memcached]'")
    port = free_port()
    with pytest.raises(FileError, match=f"memcached at 127.0.0.1:{port} cannot get 'a'"):
        MemcachedBackend(f"127.0.0.1:{port}").get("a")
    for wrong in (":11211", "host:port", []):
        with pytest.raises(FileError, match="memcached server"):
            MemcachedBackend(wrong)
    assert MemcachedBackend("host").servers == [("host", 11211)]
