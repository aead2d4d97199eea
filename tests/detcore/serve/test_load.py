"""Fifty clients at a time: no error, no request lost, memory flat."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest
from tests.detcore.serve.process import Server
from tests.processes import PATIENCE

pytestmark = pytest.mark.slow
CLIENTS = 50
ROUNDS = 9  # in each of which every client asks once
MEGABYTES = 15.0  # that all of the last rounds may lie above all of the first


def figure(server: Server, name: str) -> float:
    text = httpx.get(f"{server.address}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def ask(client: httpx.Client, picture: bytes) -> tuple[int, int]:
    """The status of an answer, and the number of objects in it."""
    answer = client.post("/predict", content=picture)
    return answer.status_code, len(answer.json().get("detections", ()))


def test_fifty_clients_are_all_answered_and_memory_stays(server: Server, scenes: Path) -> None:
    pictures = [path.read_bytes() for path in sorted((scenes / "images").glob("val_*.jpg"))]
    sent = [pictures[which % len(pictures)] for which in range(CLIENTS)]
    answers, memory = [], []
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=server.address, timeout=PATIENCE))
            for _ in range(CLIENTS)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        alone = {picture: ask(clients[0], picture)[1] for picture in pictures}
        before = figure(server, 'detcore_requests_total{status="200"}')
        for _ in range(ROUNDS):
            answers += zip(sent, pool.map(ask, clients, sent), strict=True)
            memory.append(figure(server, "process_resident_memory_bytes") / 1e6)
    assert {status for _, (status, _) in answers} == {200}
    # A score at the threshold may fall to either side in another batch.
    assert all(abs(count - alone[picture]) <= 1 for picture, (_, count) in answers)
    assert len(answers) == ROUNDS * CLIENTS
    assert figure(server, 'detcore_requests_total{status="200"}') - before == len(answers)
    assert figure(server, "detcore_errors_total") == 0
    batches = figure(server, "detcore_batch_size_count")
    assert len(answers) / batches > 2  # they went together
    third = ROUNDS // 3
    assert min(memory[-third:]) - max(memory[:third]) < MEGABYTES, memory


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
