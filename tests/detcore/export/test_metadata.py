"""What a file says of itself comes back as it was."""

from __future__ import annotations

import pytest
from tests.detcore.export.small import SCALE, small_detector

from cvcore import Config
from detcore.errors import ExportError
from detcore.export.metadata import Metadata, describe


def test_metadata_survives_as_text() -> None:
    metadata = describe(small_detector("mask_rcnn_r50_fpn_1x_coco"))
    texts = metadata.to_texts()
    assert texts["mean"] == "[123.675, 116.28, 103.53]"
    assert texts["to_rgb"] == "true"
    assert texts["classes"].startswith('["person", "bicycle"')
    assert Metadata.from_texts(texts, "a file") == metadata
    config = Config.fromstring(metadata.config, ".py")
    assert config["model"]["type"] == "MaskRCNN"


def test_the_scale_is_that_of_the_first_view() -> None:
    detector = small_detector("retinanet_r50_fpn_1x_coco")
    assert describe(detector).scale == SCALE
    detector.cfg["data"]["test"]["pipeline"][1]["img_scale"] = [(320, 200), (640, 400)]
    assert describe(detector).scale == (320, 200)


def test_a_file_without_our_metadata_is_named() -> None:
    with pytest.raises(ExportError, match=r"m\.onnx was not written by 'detcore export'.*mean"):
        Metadata.from_texts(
            {"detcore_version": '"1"', "model": '"A"', "classes": "[]", "scale": "null",
             "keep_ratio": "true"}, "m.onnx"
        )  # fmt: skip
