"""Downloads from servers on this machine that break, forget, change and lie."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from tests.processes import free_port

from cvcore.errors import FileError
from cvcore.fileio import HTTPBackend, download, place_in_cache
from cvcore.fileio.web import digest_in_name

CONTENT = bytes(range(256)) * 4096  # 1 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends `content` at every path; `breaks` times it hangs up after half of what was asked for.

    Attributes:
        asked: The path, the range and the version of every request so far.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.breaks = 0
        self.knows_ranges = True
        self.tag: str | None = '"one"'
        self.failures: list[int] = []
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, span = self.server, self.headers.get("Range")
        version = self.headers.get("If-Range")
        with server.lock:
            server.asked.append((self.path, span, version))
            failure = server.failures.pop(0) if server.failures else None
            breaks = server.breaks > 0
            server.breaks -= 1
        if failure is not None:
            self.send_error(failure)
            return
        start = 0
        if span and server.knows_ranges and version in (None, server.tag):
            start = int(span.removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/1048576")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if breaks else body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ranges(server: Server) -> list[str | None]:
    return [span for _, span, _ in server.asked]


def only_file(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        path = download(f"{server.address}/a/net.bin", tmp_path / "new" / "net.bin")
        assert path.read_bytes() == CONTENT
    assert server.asked == [("/a/net.bin", None, None)]
    assert only_file(tmp_path / "new") == ["net.bin"]


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.breaks = 2
    path = download(f"{server.address}/net.bin", tmp_path / "net.bin", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    # Half of 1048576 bytes, then half of the rest.
    assert ranges(server) == [None, "bytes=524288-", "bytes=786432-"]
    assert [version for _, _, version in server.asked] == [None, '"one"', '"one"']


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_within_one_download_no_version_is_needed_to_go_on(
    server: Server, tmp_path: Path, tag: str | None
) -> None:
    server.breaks, server.tag = 1, tag
    download(f"{server.address}/net.bin", tmp_path / "net.bin", sha256=SHA256)
    assert server.asked[1] == ("/net.bin", "bytes=524288-", None)


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    server.breaks, server.knows_ranges = 1, False
    path = download(f"{server.address}/net.bin", tmp_path / "net.bin", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=524288-"]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin.part").write_bytes(CONTENT[:1000])
    (tmp_path / "net.bin.part.version").write_text('"one"', encoding="utf-8")
    download(f"{server.address}/net.bin", tmp_path / "net.bin", sha256=SHA256)
    assert server.asked == [("/net.bin", "bytes=1000-", '"one"')]
    assert only_file(tmp_path) == ["net.bin"]


def test_a_part_of_another_version_is_not_gone_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin.part").write_bytes(b"old" * 100)
    (tmp_path / "net.bin.part.version").write_text('"old"', encoding="utf-8")
    path = download(f"{server.address}/net.bin", tmp_path / "net.bin")
    assert path.read_bytes() == CONTENT
    (tmp_path / "other.bin.part").write_bytes(b"of nobody knows what")
    path = download(f"{server.address}/other.bin", tmp_path / "other.bin")
    assert path.read_bytes() == CONTENT
    assert server.asked[1] == ("/other.bin", None, None)


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin.part").write_bytes(CONTENT + b"x")
    (tmp_path / "net.bin.part.version").write_text('"one"', encoding="utf-8")
    path = download(f"{server.address}/net.bin", tmp_path / "net.bin")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("given", [True, False])
def test_content_with_another_digest_is_thrown_away(
    server: Server, tmp_path: Path, given: bool
) -> None:
    name = "net.bin" if given else "net-0123abcd.bin"
    with pytest.raises(FileError, match=f"has the sha256 {SHA256}, not 0123abcd"):
        download(f"{server.address}/{name}", tmp_path / name, "0123ABCD" if given else None)
    assert only_file(tmp_path) == []
    name = f"net-{SHA256[:8]}.pth"
    assert download(f"{server.address}/{name}", tmp_path / name).exists()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("resnet50-0676ba61.pth", "0676ba61"),
        (f"net-{SHA256}.tar.gz", SHA256),
        ("net_1x_coco_20200130-047c8118.pth", "047c8118"),
        ("net-20200130.pth", None),  # a date
        ("net-v2.pth", None),
        ("net.pth", None),
    ],
)
def test_a_name_carries_a_digest(name: str, digest: str | None) -> None:
    assert digest_in_name(name) == digest


def test_names_without_a_digest_are_kept_apart_by_their_address(tmp_path: Path) -> None:
    one, two = (place_in_cache(f"http://{host}/net.pth?x=1", tmp_path) for host in "ab")
    assert one != two
    assert one.name == two.name == "net.pth"
    named = place_in_cache("http://a/x/net-0676ba61.pth", tmp_path)
    assert named == tmp_path / "net-0676ba61.pth"


def fetch(arguments: tuple[str, str]) -> bytes:
    return download(*arguments).read_bytes()


def test_of_several_processes_one_fetches(server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    job = (f"{server.address}/net.bin", str(tmp_path / "net.bin"))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert list(pool.map(fetch, [job] * 4)) == [CONTENT] * 4
    assert ranges(server) == [None, "bytes=524288-"]


def test_an_absent_file_is_said_at_once_and_a_busy_server_asked_again(
    server: Server, tmp_path: Path
) -> None:
    server.failures = [503, 502]
    assert download(f"{server.address}/net.bin", tmp_path / "net.bin").read_bytes() == CONTENT
    assert len(server.asked) == 3
    server.failures = [404, 404]
    with pytest.raises(FileError, match=r"cannot download http.*/b\.bin: HTTP Error 404"):
        download(f"{server.address}/b.bin", tmp_path / "b.bin")
    assert len(server.asked) == 4


def test_a_connection_that_always_breaks_ends_in_an_error_and_keeps_its_part(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvcore.fileio.web.time.sleep", lambda seconds: None)
    server.breaks, server.knows_ranges = 99, False
    message = r"broke after 524288 of 1048576 bytes; what is there is kept in .*net\.bin\.part"
    with pytest.raises(FileError, match=message):
        download(f"{server.address}/net.bin", tmp_path / "net.bin")
    assert len(server.asked) == 6  # the first one, and five that brought nothing more
    assert (tmp_path / "net.bin.part").stat().st_size == 524288


def test_nobody_at_the_address_is_an_error_at_once(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(FileError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/a", tmp_path / "a")
    with pytest.raises(FileError, match="no address of a web server"):
        download((tmp_path / "a").as_uri(), tmp_path / "b")


@pytest.mark.parametrize(
    "read",
    [
        lambda address, folder: download(address, folder / "a").read_bytes(),
        lambda address, folder: HTTPBackend(timeout=5).get(address),
    ],
)
def test_a_proxy_is_used_and_left_out_as_the_environment_says(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[str, Path], bytes],
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert read("http://weights.invalid/net.bin", tmp_path) == CONTENT
    assert [path for path, _, _ in server.asked] == ["http://weights.invalid/net.bin"]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "a").unlink(missing_ok=True)
    read(f"{server.address}/direct.bin", tmp_path)
    assert server.asked[-1][0] == "/direct.bin"


def test_a_short_answer_is_an_error_of_the_web_backend(server: Server) -> None:
    server.breaks = 1
    with pytest.raises(FileError, match=r"cannot read http://127.*IncompleteRead"):
        HTTPBackend(timeout=5).get(f"{server.address}/net.bin")
