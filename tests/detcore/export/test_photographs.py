"""Exported detectors find on photographs what they find in torch."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.detcore.export.small import FAMILIES, SCALE, small_detector
from torch import Tensor, nn

from detcore import Detector
from detcore.apis import inference_detector
from detcore.apis.export import export_detector, verify_export
from detcore.errors import ExportError
from detcore.export import ExportedDetector, Metadata, compare, load_exported
from detcore.export.engines import Engine
from detcore.export.metadata import describe
from detcore.export.program import DetectorProgram
from detcore.version import __version__

ROOT = Path(__file__).resolve().parents[3]
PHOTOS = [ROOT / "tests/data/photos" / f"{name}.jpg" for name in ("000000000632", "000000000724")]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_onnxruntime_finds_what_the_detector_finds(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    detector = small_detector(name)
    path = export_detector(detector, tmp_path / "model.onnx")
    differences = verify_export(detector, path, [str(photo) for photo in PHOTOS])
    # Two photographs, then the first again together with a part of it; 100 objects on each.
    assert differences.count == 400
    assert differences.agreeing >= 396
    assert differences.score_thr == 0.3
    assert (differences.mask is not None) == ("mask" in name)

    graph = onnx.load(path).graph
    sizes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert sizes["input"] == ["batch", 3, "height", "width"]
    assert sizes["shapes"] == ["batch", 2]
    assert sizes["dets"] == ["batch", 100, 5]
    assert sizes["labels"] == ["batch", 100]
    assert sizes.get("masks", ["batch", 100, 28, 28]) == ["batch", 100, 28, 28]
    assert "NonMaxSuppression" in {node.op_type for node in graph.node}
    check_metadata(load_exported(path).engine.metadata, name)


def check_metadata(metadata: Metadata, name: str) -> None:
    caffe = "caffe" in name
    assert metadata.detcore_version == __version__
    assert metadata.classes[:2] == ("person", "bicycle")
    assert metadata.mean == ((102.9801, 115.9465, 122.7717) if caffe else (123.675, 116.28, 103.53))
    assert metadata.std == ((1.0, 1.0, 1.0) if caffe else (58.395, 57.12, 57.375))
    assert metadata.to_rgb is not caffe
    assert metadata.scale == SCALE
    assert metadata.keep_ratio
    assert metadata.pad_size_divisor == 32
    assert metadata.mask_threshold == 0.5


@pytest.mark.slow
def test_a_torch_program_finds_exactly_what_the_detector_finds(tmp_path: Path) -> None:
    detector = small_detector("mask_rcnn_r50_fpn_1x_coco")
    path = export_detector(detector, tmp_path / "model.pt2")
    differences = verify_export(detector, path, [str(photo) for photo in PHOTOS])
    assert differences.count == differences.agreeing == 400
    assert differences.box < 1e-3
    pictures = Detector(path).predict(PHOTOS[0])
    assert len(pictures[0].to_records()) == 100


@pytest.mark.slow
def test_deformable_convolutions_are_written_in_an_opset_that_has_them(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    detector = small_detector("faster_rcnn_r50_fpn_dconv_c3-c5_1x_coco")
    path = export_detector(detector, tmp_path / "model.onnx")
    model = onnx.load(path)
    assert "DeformConv" in {node.op_type for node in model.graph.node}
    assert {each.domain: each.version for each in model.opset_import}[""] == 20
    differences = verify_export(detector, path, [str(PHOTOS[0])])
    assert differences.count == 300
    assert differences.agreeing >= 297


@pytest.mark.slow
def test_openvino_finds_what_the_detector_finds(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    detector = small_detector("faster_rcnn_r50_fpn_1x_coco")
    path = export_detector(detector, tmp_path / "model.xml")
    differences = verify_export(detector, path, [str(photo) for photo in PHOTOS])
    assert differences.count == 400
    assert differences.agreeing >= 396


class InTorch(Engine):
    """The graph before it is written, run as it stands."""

    def __init__(self, detector: nn.Module) -> None:
        self.metadata = describe(detector)
        self.program = DetectorProgram(detector)

    @torch.no_grad()
    def run(self, images: Tensor, shapes: Tensor) -> tuple[Tensor, ...]:
        """What the program gives."""
        return self.program(images, shapes)


def test_a_file_that_finds_other_things_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = small_detector("retinanet_r50_fpn_1x_coco")
    engine = InTorch(deepcopy(detector))
    monkeypatch.setattr("detcore.apis.export.load_exported", lambda path: ExportedDetector(engine))
    photos = [str(photo) for photo in PHOTOS]
    assert verify_export(detector, "model.onnx", photos).agreeing == 400
    with torch.no_grad():
        detector.bbox_head.retina_reg.bias += 0.1
    with pytest.raises(ExportError, match=r"does not find what the detector finds: [0-9]+ of 400"):
        verify_export(detector, "model.onnx", photos)


def test_places_without_a_detection_are_empty() -> None:
    # So little is certain enough that the hundred places are not filled.
    rcnn = {"score_thr": 0.9, "nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 100}
    detector = small_detector("faster_rcnn_r50_fpn_1x_coco", rcnn=rcnn)
    exported = ExportedDetector(InTorch(detector))
    dets, labels = exported.engine.run(torch.zeros(1, 3, 160, 192), torch.tensor([[160, 190]]))
    used = labels[0] >= 0
    assert used.sum() < 100
    assert (labels[0, ~used] == -1).all()
    assert (dets[0, ~used] == 0).all()
    (result,) = inference_detector(exported, [PHOTOS[0]])
    (expected,) = inference_detector(detector, [PHOTOS[0]])
    assert [len(of_class) for of_class in result] == [len(of_class) for of_class in expected]
    np.testing.assert_allclose(np.concatenate(result), np.concatenate(expected), atol=1e-3)


def test_heads_that_look_in_their_own_way_at_regions_find_the_same() -> None:
    detector = small_detector("dh_faster_rcnn_r50_fpn_1x_coco")
    photos = [str(photo) for photo in PHOTOS]
    with torch.no_grad():
        found = inference_detector(ExportedDetector(InTorch(detector)), photos)
    differences = compare(inference_detector(detector, photos), found)
    assert differences.count == differences.agreeing == 200


def test_images_of_no_object_leave_every_place_empty() -> None:
    detector = small_detector("fcos_r50_caffe_fpn_gn-head_1x_coco", score_thr=1.0)
    (result,) = inference_detector(ExportedDetector(InTorch(detector)), [PHOTOS[0]])
    assert [of_class.shape for of_class in result] == [(0, 5)] * 80
