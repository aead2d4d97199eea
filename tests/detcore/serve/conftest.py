"""A small detector, and a server of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.detcore.serve.process import Server
from tests.processes import PATIENCE

from detcore import Detector
from detcore.serve import ServeSettings, build


@pytest.fixture(scope="session")
def detector(trained_run: Path) -> Detector:
    return Detector(trained_run / "latest.pth", device="cpu")


@pytest.fixture(scope="module")
def client(detector: Detector) -> Iterator[TestClient]:
    settings = ServeSettings(
        score_thr=0.05, max_bytes=100_000, max_pixels=1_000_000, max_wait=0, timeout=PATIENCE
    )
    with TestClient(build(detector, settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def photo(scenes: Path) -> bytes:
    """The file of a drawn scene, 128 x 96 pixels."""
    return (scenes / "images" / "val_00000.jpg").read_bytes()


@pytest.fixture(scope="module")
def server(trained_run: Path) -> Iterator[Server]:
    """A server that takes what 50 clients send, in a process of its own."""
    options = ("--score-thr", "0.05", "--batch-size", "8")
    with Server(trained_run / "latest.pth", *options) as server:
        yield server
        server.stop()
