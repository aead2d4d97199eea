"""A picture in, detections out, as JSON or as a picture."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pycocotools import mask as coco_mask

from cvcore.image import imfrombytes
from detcore import Detector
from detcore.serve import ServeSettings, build
from detcore.serve.app import picture_kind


@pytest.fixture(scope="module")
def expected(detector: Detector, photo: bytes) -> list[dict[str, Any]]:
    records = detector.predict(imfrombytes(photo), score_thr=0.05)[0].to_records()
    assert len(records) > 3
    return records


def ways(photo: bytes) -> dict[str, dict[str, Any]]:
    text = base64.b64encode(photo).decode()
    return {
        "form": {"files": {"file": ("photo.jpg", photo, "image/jpeg")}},
        "body": {"content": photo, "headers": {"Content-Type": "image/jpeg"}},
        "bytes": {"content": photo, "headers": {"Content-Type": "application/octet-stream"}},
        "no type": {"content": photo},
        "json": {"json": {"image": text}},
        "data address": {"json": {"image": f"data:image/jpeg;base64,{text}"}},
    }


@pytest.mark.parametrize("way", ways(b""))
def test_every_way_of_sending_finds_what_the_detector_finds(
    client: TestClient, photo: bytes, expected: list, way: str
) -> None:
    answer = client.post("/predict", **ways(photo)[way])
    assert answer.status_code == 200
    assert answer.json() == {"width": 128, "height": 96, "detections": expected}


def test_a_request_may_say_how_sure_is_sure(
    client: TestClient, photo: bytes, expected: list
) -> None:
    middle = expected[len(expected) // 2]["score"]
    # Scores are told in four decimals: those that read `middle` are above half a step less.
    answer = client.post("/predict", params={"score_thr": middle - 5e-5}, content=photo)
    scores = [found["score"] for found in answer.json()["detections"]]
    assert scores == [one["score"] for one in expected if one["score"] >= middle]
    assert client.post("/predict", params={"score_thr": 2}, content=photo).status_code == 422


def test_masks_come_as_run_lengths(client: TestClient, photo: bytes, detector: Detector) -> None:
    found = client.post("/predict", params={"masks": True}, content=photo).json()["detections"]
    (prediction,) = detector.predict(imfrombytes(photo), score_thr=0.05)
    for record, mask in zip(found, prediction.masks, strict=True):
        assert np.array_equal(coco_mask.decode(record["segmentation"]), mask)


@pytest.mark.parametrize(
    ("query", "accept", "form"),
    [
        ({"format": "image"}, "*/*", "JPEG"),
        ({}, "image/jpeg", "JPEG"),
        ({}, "image/png", "PNG"),
        ({"format": "image"}, "image/png", "PNG"),
    ],
)
def test_the_picture_comes_back_drawn_on(
    client: TestClient, photo: bytes, query: dict, accept: str, form: str, detector: Detector
) -> None:
    answer = client.post("/predict", params=query, content=photo, headers={"Accept": accept})
    assert answer.headers["content-type"] == f"image/{form.lower()}"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == form
    plotted = detector.predict(imfrombytes(photo), score_thr=0.05)[0].plot()
    got = imfrombytes(answer.content).astype(int)
    assert np.abs(got - plotted).mean() < (8 if form == "JPEG" else 1e-9)
    assert np.abs(got - imfrombytes(photo)).max() > 60


@pytest.mark.parametrize(
    ("accept", "form", "kind"),
    [
        ("", None, None),
        ("*/*", None, None),
        ("text/html, image/webp, */*;q=0.8", None, None),
        ("image/*", None, "JPEG"),
        ("image/png;q=0.5, image/jpeg", None, "JPEG"),
        ("image/png, application/json;q=0.9", None, "PNG"),
        ("image/png;q=0", None, None),
        ("image/png;q=nonsense", None, None),
        ("image/png", "json", None),
        ("application/json", "image", "JPEG"),
    ],
)
def test_the_form_follows_the_accept_header(accept: str, form: Any, kind: str | None) -> None:
    assert picture_kind(accept, form) == kind


def test_a_sideways_photograph_is_looked_at_upright(client: TestClient, photo: bytes) -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    with Image.open(io.BytesIO(photo)) as image:
        image.save(buffer, "JPEG", exif=exif)
    answer = client.post("/predict", content=buffer.getvalue()).json()
    assert (answer["width"], answer["height"]) == (96, 128)


@pytest.fixture
def address(photo: bytes) -> Iterator[str]:
    """Of a web server that has the photograph."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/photo.jpg" else 404)
            self.end_headers()
            if self.path == "/photo.jpg":
                self.wfile.write(photo)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_addresses_are_fetched_only_where_allowed(
    client: TestClient, detector: Detector, address: str, photo: bytes, expected: list
) -> None:
    wish = {"url": f"{address}/photo.jpg"}
    refused = client.post("/predict", json=wish)
    assert refused.status_code == 400
    assert "--allow-urls" in refused.json()["error"]
    settings = ServeSettings(score_thr=0.05, allow_urls=True, max_bytes=len(photo))
    with TestClient(build(detector, settings)) as other:
        assert other.post("/predict", json=wish).json()["detections"] == expected
        assert other.post("/predict", json={"url": f"{address}/none.jpg"}).status_code == 400
        assert other.post("/predict", json={"url": "file:///etc/hostname"}).status_code == 400
    small = ServeSettings(allow_urls=True, max_bytes=len(photo) - 1)
    with TestClient(build(detector, small)) as other:
        assert other.post("/predict", json=wish).status_code == 413
