"""An exported file behind HTTP answers as the detector that it was exported from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from tests.detcore.serve.process import Server
from tests.processes import PATIENCE

from cvcore.image import imfrombytes
from detcore import Detector
from detcore.apis.export import export_detector

pytestmark = pytest.mark.slow
CLIENTS = 12


def test_an_onnx_file_is_served_as_its_checkpoint_is(
    detector: Detector, photo: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    path = export_detector(detector.model, tmp_path / "tiny.onnx")
    expected = detector.predict(imfrombytes(photo), score_thr=0.05)[0].to_records()
    assert len(expected) > 3
    with Server(path, "--score-thr", "0.05") as server:
        facts = httpx.get(f"{server.address}/health").json()
        assert (facts["status"], facts["classes"]) == ("ok", detector.class_names)

        def ask(_: int) -> httpx.Response:
            return httpx.post(f"{server.address}/predict", content=photo, timeout=PATIENCE)

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(ask, range(CLIENTS)))
        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:
            found = answer.json()["detections"]
            assert [one["label"] for one in found] == [one["label"] for one in expected]
            for one, other in zip(found, expected, strict=True):
                assert one["score"] == pytest.approx(other["score"], abs=1e-3)
                assert one["box"] == pytest.approx(other["box"], abs=0.1)
        refused = httpx.post(f"{server.address}/predict", content=b"no picture")
        assert refused.status_code == 415
        server.stop()
