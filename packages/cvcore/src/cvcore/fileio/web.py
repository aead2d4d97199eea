"""Files fetched from web servers once, whole and checked, however often the connection breaks.

Proxies are those of the environment variables ``http_proxy``, ``https_proxy`` and ``no_proxy``.
"""

from __future__ import annotations

import hashlib
import http
import http.client
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.errors import FileError
from cvcore.version import __version__

if TYPE_CHECKING:
    from rich.progress import Progress

TIMEOUT = 60.0  # seconds without an answer
ATTEMPTS = 5  # in a row that bring nothing
BLOCK = 1 << 20
# What releases of weights carry at the end of their names: the beginning of their sha256.
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.[A-Za-z0-9.]+$")
_DATE = re.compile(r"(19|20)\d{6}")


def digest_in_name(name: str) -> str | None:
    """The beginning of the sha256 that a file's name announces, as ``net-0676ba61.pth`` does."""
    found = _DIGEST.search(name)
    return None if found is None or _DATE.fullmatch(found[1]) else found[1]


@contextmanager
def open_address(
    address: str, timeout: float = TIMEOUT, headers: dict[str, str] | None = None
) -> Iterator[Any]:
    """The answer of a web server to a request for an address, closed after the block."""
    request = urllib.request.Request(
        address, headers={"User-Agent": f"cvcore/{__version__}", **(headers or {})}
    )
    # Built anew: the opener that urllib keeps would never see a proxy that is set later.
    with urllib.request.build_opener().open(request, timeout=timeout) as answer:
        yield answer


def place_in_cache(address: str, folder: Path) -> Path:
    """Where the file of an address is kept.

    Names that carry a digest are unique; others go into a folder of their address, so that two
    servers' ``model.pth`` are told apart.
    """
    name = Path(urllib.parse.unquote(urllib.parse.urlparse(address).path)).name or "index"
    if digest_in_name(name):
        return folder / name
    return folder / hashlib.sha256(address.encode()).hexdigest()[:8] / name


def download(
    address: str, target: str | Path, sha256: str | None = None, timeout: float = TIMEOUT
) -> Path:
    """Fetch an address into a file, unless the file is there already.

    A connection that breaks is taken up where it broke, also by a later call, if the server can
    do so. Of several processes one fetches and the others wait. The file appears under its name
    once it is whole and its digest is right.

    Args:
        address: Of a web server.
        target: The file.
        sha256: Its digest or the beginning of it; by default that in the name of the address.
        timeout: Seconds to wait for an answer.

    Returns:
        The path of the file.

    Raises:
        FileError: The address cannot be read, or the content is not what the digest says.
    """
    path = Path(target)
    if not address.startswith(("http://", "https://")):
        raise FileError(f"{address!r} is no address of a web server (http:// or https://)")
    if path.exists():
        return path
    from filelock import FileLock  # torch brings it; who reads a config only needs neither

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                _Transfer(address, path, timeout).run(sha256)
    except (OSError, http.client.HTTPException) as error:
        raise FileError(f"cannot download {address}: {_reason(error)}") from error
    return path


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(error, urllib.error.HTTPError) or reason is None:
        return str(error) or repr(error)
    return str(reason)


class _Transfer:
    """One download, which lies in ``<target>.part`` until it is whole.

    Beside it ``<target>.part.version`` says which version of the file the part is of, so that the
    server can be asked to go on only if it is still the same.
    """

    def __init__(self, address: str, target: Path, timeout: float) -> None:
        self.address = address
        self.target = target
        self.timeout = timeout
        self.part = target.with_name(f"{target.name}.part")
        self.version = target.with_name(f"{target.name}.part.version")
        self.total: int | None = None

    def run(self, sha256: str | None) -> None:
        """Fetch, check, and give the file its name."""
        name = Path(urllib.parse.urlparse(self.address).path).name
        expected = (sha256 or digest_in_name(name) or "").lower()
        if self.part.exists() and not self.version.exists():
            self.part.unlink()  # nothing says what it is part of
        # Not at the top: whoever only reads a config is not to wait for it.
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        console = Console(stderr=True)
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), self.target.name)
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            self._fetch_all(progress)
        self._check(expected)
        self.version.unlink(missing_ok=True)
        self.part.replace(self.target)

    def _fetch_all(self, progress: Progress) -> None:
        task = progress.add_task("", total=None)
        failures = 0
        while True:
            before = self._size()
            try:
                self._fetch(progress, task)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    self.part.unlink(missing_ok=True)  # longer than the file is now
                elif error.code < 500:
                    raise
                last: Exception = error
            except (OSError, http.client.HTTPException) as error:
                last = error
            else:
                if self.total is None or self._size() == self.total:
                    return
                last = OSError(
                    f"the connection broke after {self._size()} of {self.total} bytes; what is "
                    f"there is kept in {self.part}"
                )
            failures = 0 if self._size() > before else failures + 1
            if failures >= ATTEMPTS or _is_refusal(last):
                raise last
            time.sleep(0.1 * 2**failures if failures else 0)

    def _fetch(self, progress: Progress, task: Any) -> None:
        """One request, for what is not there yet."""
        start = self._size()
        headers = {}
        if start:
            headers["Range"] = f"bytes={start}-"
            version = self.version.read_text(encoding="utf-8") if self.version.exists() else ""
            if version:
                headers["If-Range"] = version
        with open_address(self.address, self.timeout, headers) as answer:
            goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT and _starts_at(answer, start)
            if not goes_on:
                start = 0  # the whole file, from its beginning
            length = answer.headers.get("Content-Length")
            self.total = None if length is None else start + int(length)
            self._note_version(answer.headers)
            progress.update(task, total=self.total, completed=start)
            with self.part.open("ab" if goes_on else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
                    progress.advance(task, len(block))
                file.flush()
                os.fsync(file.fileno())

    def _note_version(self, headers: Any) -> None:
        tag = headers.get("ETag") or ""
        if tag.startswith("W/"):
            tag = ""  # a weak tag does not promise the same bytes
        version = tag or headers.get("Last-Modified") or ""
        if version:
            self.version.write_text(version, encoding="utf-8")
        else:
            self.version.unlink(missing_ok=True)

    def _check(self, expected: str) -> None:
        if not expected:
            return
        hashed = hashlib.sha256()
        with self.part.open("rb") as file:
            while block := file.read(BLOCK):
                hashed.update(block)
        digest = hashed.hexdigest()
        if not digest.startswith(expected):
            self.part.unlink()
            self.version.unlink(missing_ok=True)
            raise FileError(
                f"what {self.address} sent has the sha256 {digest}, not {expected}: it is damaged "
                "or not what it is called, and was thrown away. Try again; if you trust it all the "
                "same, fetch it by hand and give its path"
            )

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


def _starts_at(answer: Any, start: int) -> bool:
    span = answer.headers.get("Content-Range", "")
    return str(span).startswith(f"bytes {start}-")


def _is_refusal(error: Exception) -> bool:
    """Whether to try again is of no use: nobody listens, or the name does not exist."""
    reason = getattr(error, "reason", error)
    return isinstance(reason, ConnectionRefusedError | socket.gaierror)
