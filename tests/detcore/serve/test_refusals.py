"""Bad uploads are answered 4xx with a reason, and the server goes on."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.processes import PATIENCE

import detcore.serve.service
from detcore import Detector
from detcore.errors import OptionError
from detcore.serve import ServeSettings, build

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}


def bomb() -> bytes:
    """Some 2 kB that stand for 4 million white pixels."""
    buffer = io.BytesIO()
    Image.new("1", (2000, 2000), 1).save(buffer, "PNG")
    return buffer.getvalue()


UPLOADS: dict[str, tuple[Callable[[bytes], bytes], dict[str, str], int, str]] = {
    "nothing": (lambda photo: b"", {}, 400, "empty"),
    "text": (lambda photo: b"this is no picture", {}, 415, "known format"),
    "text, and says so": (lambda photo: b"hello", {"Content-Type": "text/plain"}, 415, "curl"),
    "svg": (lambda photo: b"<svg/>", {"Content-Type": "image/svg+xml"}, 415, "known format"),
    "half a picture": (lambda photo: photo[: len(photo) // 2], {}, 422, "decoded"),
    "a head alone": (lambda photo: photo[:24], {}, 422, "decoded"),
    "too many pixels": (lambda photo: bomb(), {}, 413, "2000 x 2000"),
    "too many bytes": (lambda photo: photo + bytes(100_000), {}, 413, "100000 bytes"),
    "far too many bytes": (lambda photo: bytes(1_000_000), {}, 413, "100000 bytes"),
    "a form without an end": (lambda photo: b"--y\r\n", FORM, 400, "form"),
    "a form without a file": (
        lambda photo: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
        FORM,
        400,
        "no file",
    ),
    "a form without a boundary": (
        lambda photo: b"--x--",
        {"Content-Type": "multipart/form-data"},
        400,
        "boundary",
    ),
    "an empty file in a form": (
        lambda photo: (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
            b"\r\n\r\n--x--\r\n"
        ),
        FORM,
        400,
        "empty",
    ),
    "broken JSON": (lambda photo: b"{", JSON, 400, "JSON"),
    "JSON in the deep": (lambda photo: b"[" * 50_000, JSON, 400, "JSON"),
    "JSON that is no record": (lambda photo: b"[1]", JSON, 400, "BASE64"),
    "JSON without a picture": (lambda photo: b'{"picture": "a"}', JSON, 400, "BASE64"),
    "a picture that is a number": (lambda photo: b'{"image": 5}', JSON, 400, "strings"),
    "no base64": (lambda photo: b'{"image": "%%%"}', JSON, 400, "base64"),
    "base64 of nothing": (lambda photo: b'{"image": ""}', JSON, 400, "empty"),
}


@pytest.mark.parametrize("upload", UPLOADS)
def test_a_bad_upload_is_answered_with_the_reason(
    client: TestClient, photo: bytes, upload: str
) -> None:
    make, headers, status, reason = UPLOADS[upload]
    answer = client.post("/predict", content=make(photo), headers=headers)
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert client.post("/predict", content=photo).status_code == 200


def test_a_body_of_unknown_length_is_counted_as_it_comes(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield bytes(10_000)

    assert client.post("/predict", content=endless()).status_code == 413


def test_other_verbs_and_places_are_refused(client: TestClient) -> None:
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404


class Held:
    """The model, held until it is let go, or failing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started, self.let_go = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self.failing = False
        self.detect = detcore.serve.service.inference_detector
        monkeypatch.setattr(detcore.serve.service, "inference_detector", self)

    def __call__(self, model: object, pictures: list) -> object:
        self.sizes.append(len(pictures))
        self.started.set()
        assert self.let_go.wait(PATIENCE)
        if self.failing:
            raise RuntimeError("secret inner matters")
        return self.detect(model, pictures)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.let_go.set()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_requests_that_wait_go_through_the_model_together(
    detector: Detector, photo: bytes, held: Held
) -> None:
    app = build(detector, ServeSettings(batch_size=4, max_wait=0))
    with TestClient(app) as client, ThreadPoolExecutor(6) as pool:
        first = pool.submit(client.post, "/predict", content=photo)
        assert held.started.wait(PATIENCE)
        rest = [pool.submit(client.post, "/predict", content=photo) for _ in range(5)]
        until(lambda: client.get("/health").json()["waiting"] == 5)
        held.let_go.set()
        answers = [future.result(PATIENCE) for future in (first, *rest)]
        counted = client.get("/metrics").text
    assert [answer.status_code for answer in answers] == [200] * 6
    assert held.sizes == [1, 4, 1]
    assert 'detcore_requests_total{status="200"} 6.0' in counted
    assert "detcore_batch_size_sum 6.0" in counted
    assert "detcore_batch_size_count 3.0" in counted


def test_one_more_than_the_queue_holds_is_told_to_come_again(
    detector: Detector, photo: bytes, held: Held
) -> None:
    app = build(detector, ServeSettings(batch_size=1, max_queue=2))
    with TestClient(app) as client, ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(client.post, "/predict", content=photo) for _ in range(2)]
        until(lambda: client.get("/health").json()["waiting"] == 1)
        refused = client.post("/predict", content=photo)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        held.let_go.set()
        assert [future.result(PATIENCE).status_code for future in taken] == [200, 200]
        assert client.post("/predict", content=photo).status_code == 200
        assert "detcore_errors_total 1.0" in client.get("/metrics").text


def test_a_request_that_takes_too_long_is_ended(
    detector: Detector, photo: bytes, held: Held
) -> None:
    app = build(detector, ServeSettings(timeout=0.2))
    with TestClient(app) as client:
        late = client.post("/predict", content=photo)
        assert late.status_code == 504
        assert "0.2 seconds" in late.json()["error"]
        held.let_go.set()


def test_a_model_that_fails_is_answered_without_its_inner_matters(
    detector: Detector, photo: bytes, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    held.failing = True
    held.let_go.set()
    with TestClient(build(detector)) as client:
        failed = client.post("/predict", content=photo)
        held.failing = False
        assert client.post("/predict", content=photo).status_code == 200
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert "secret inner matters" in caplog.text


def test_closing_answers_what_waits(detector: Detector, photo: bytes, held: Held) -> None:
    app = build(detector, ServeSettings(batch_size=1))
    with ThreadPoolExecutor(3) as pool, TestClient(app) as client:
        answers = [pool.submit(client.post, "/predict", content=photo) for _ in range(3)]
        until(lambda: client.get("/health").json()["waiting"] == 2)
        threading.Timer(0.1, held.let_go.set).start()
        app.state.service.close()
        assert [future.result(PATIENCE).status_code for future in answers] == [200] * 3
        assert client.get("/health").status_code == 503
        assert client.post("/predict", content=photo).status_code == 503


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"score_thr": 2}, {"max_wait": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        ServeSettings(**wrong)
