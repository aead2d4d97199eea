"""Fifty clients at a time: no error, no request lost, memory flat."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from tests.detcore.serve.process import Server
from tests.processes import PATIENCE

pytestmark = pytest.mark.slow
CLIENTS = 50
SECONDS = 4.0  # of each of two halves
MEGABYTES = 30.0  # that the server may grow by between the first and the second half


def figure(server: Server, name: str) -> float:
    text = httpx.get(f"{server.address}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def ask_until(server: Server, pictures: list[bytes], end: float) -> list[tuple[int, int, int]]:
    """(picture, status, objects) of each request of one client."""
    seen = []
    with httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        while time.monotonic() < end:
            which = len(seen) % len(pictures)
            answer = client.post("/predict", content=pictures[which])
            seen.append((which, answer.status_code, len(answer.json().get("detections", ()))))
    return seen


def load(server: Server, pictures: list[bytes]) -> list[tuple[int, int, int]]:
    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask_until, server, pictures, end) for _ in range(CLIENTS)]
        return [answer for client in clients for answer in client.result(PATIENCE)]


def test_fifty_clients_are_all_answered_and_memory_stays(server: Server, scenes: Path) -> None:
    pictures = [path.read_bytes() for path in sorted((scenes / "images").glob("val_*.jpg"))]
    alone = [
        len(httpx.post(f"{server.address}/predict", content=picture).json()["detections"])
        for picture in pictures
    ]
    before = figure(server, 'detcore_requests_total{status="200"}')
    first = load(server, pictures)
    middle = figure(server, "process_resident_memory_bytes")
    second = load(server, pictures)
    grown = (figure(server, "process_resident_memory_bytes") - middle) / 1e6
    answers = first + second
    assert len(answers) >= 2 * CLIENTS
    assert {status for _, status, _ in answers} == {200}
    # A score at the threshold may fall to either side in another batch.
    assert all(abs(count - alone[which]) <= 1 for which, _, count in answers)
    assert figure(server, 'detcore_requests_total{status="200"}') - before == len(answers)
    assert figure(server, "detcore_errors_total") == 0
    batches = figure(server, "detcore_batch_size_count")
    assert len(answers) / batches > 2  # they went together
    assert grown < MEGABYTES


def test_a_signal_ends_it_after_the_last_answer(trained_run: Path, photo: bytes) -> None:
    # The first of a batch waits so long that the signal comes while all of them are within.
    options = ("--batch-size", "64", "--max-wait-ms", "20000")
    with Server(trained_run / "latest.pth", *options) as server, ThreadPoolExecutor(12) as pool:
        answers = [
            pool.submit(httpx.post, f"{server.address}/predict", content=photo, timeout=PATIENCE)
            for _ in range(12)
        ]
        time.sleep(4)
        assert not any(answer.done() for answer in answers)
        ended = server.stop()
        statuses = [answer.result(PATIENCE).status_code for answer in answers]
    assert statuses == [200] * 12
    assert "Application shutdown complete" in ended.errors
    assert "Traceback" not in ended.errors
