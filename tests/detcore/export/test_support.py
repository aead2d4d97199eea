"""What cannot be exported is said before anything is traced."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.detcore.export.small import small_detector

from cvcore.cnn import BaseModule
from cvcore.errors import MissingExtraError
from detcore.apis import read_config
from detcore.apis.export import export_detector, export_path
from detcore.errors import DetcoreError, ExportError, OptionError
from detcore.export import ExportedDetector, check_support, load_exported
from detcore.export.metadata import describe
from detcore.models import build_detector
from detcore.models.heads.dense.anchor.retina import RetinaHead

SOFT = {"type": "soft_nms", "iou_threshold": 0.5, "min_score": 0.05}


def built(name: str) -> Any:
    model = read_config(name)["model"]
    model["backbone"]["init_cfg"] = None
    model["train_cfg"] = None
    return build_detector(model)


def test_a_detector_that_takes_proposals_from_outside_is_refused() -> None:
    with pytest.raises(ExportError, match=r"FastRCNN without its own rpn_head.*RetinaNet, FCOS"):
        check_support(built("fast_rcnn_r50_fpn_1x_coco"))


def test_a_proposal_network_alone_is_refused() -> None:
    with pytest.raises(ExportError, match=r"RPN.*cannot be exported"):
        check_support(built("rpn_r50_fpn_1x_coco"))


def test_regions_cut_out_of_every_level_are_refused() -> None:
    with pytest.raises(ExportError, match="GenericRoIExtractor cannot be exported"):
        check_support(built("faster_rcnn_r50_fpn_groie_1x_coco"))


@pytest.mark.parametrize(
    "name", ["dh_faster_rcnn_r50_fpn_1x_coco", "retinanet_ghm_r50_fpn_1x_coco"]
)
def test_kin_of_what_can_be_exported_pass(name: str) -> None:
    check_support(built(name))


def test_suppression_that_onnx_has_no_operator_for_is_refused() -> None:
    rcnn = {"score_thr": 0.05, "nms": SOFT, "max_per_img": 100}
    with pytest.raises(ExportError, match=r"test_cfg of roi_head: nms type 'soft_nms'.*type='nms'"):
        check_support(small_detector("faster_rcnn_r50_fpn_1x_coco", rcnn=rcnn))


def test_a_head_with_its_own_way_to_boxes_is_refused() -> None:
    class OtherHead(RetinaHead):
        """Predicts in its own way."""

        def predict(self, *args: Any, **kwargs: Any) -> Any:
            """Nothing."""
            return []

    detector = small_detector("retinanet_r50_fpn_1x_coco")
    detector.bbox_head.__class__ = OtherHead
    with pytest.raises(ExportError, match=r"OtherHead\.predict differs from DenseHead's"):
        check_support(detector)


def test_a_model_that_is_no_detector_is_refused() -> None:
    with pytest.raises(ExportError, match="BaseModule cannot be exported"):
        check_support(BaseModule())


def test_missing_libraries_are_named_with_their_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = small_detector("retinanet_r50_fpn_1x_coco")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'detcore\[export\]'"):
        export_detector(detector, tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'detcore\[openvino\]'"):
        export_detector(detector, tmp_path / "model.xml")
    (tmp_path / "other.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'detcore\[export\]'"):
        load_exported(tmp_path / "other.onnx")


def test_endings_and_formats_go_together(tmp_path: Path) -> None:
    detector = small_detector("retinanet_r50_fpn_1x_coco")
    with pytest.raises(ExportError, match=r"model\.bin: name it \.onnx, \.pt2, \.xml"):
        export_detector(detector, tmp_path / "model.bin")
    with pytest.raises(ExportError, match=r"a file of format torch ends in \.pt2"):
        export_detector(detector, tmp_path / "model.onnx", "torch")
    with pytest.raises(OptionError, match="'onnx', 'torch', 'openvino'"):
        export_path("latest.pth", "trt")
    assert export_path("runs/latest.pth", "openvino") == Path("runs/latest.xml")


def test_a_pipeline_without_normalize_leaves_nothing_to_write_down() -> None:
    detector = small_detector("retinanet_r50_fpn_1x_coco")
    steps = detector.cfg["data"]["test"]["pipeline"][1]["transforms"]
    steps[:] = [step for step in steps if step["type"] != "Normalize"]
    with pytest.raises(ExportError, match="no Normalize"):
        describe(detector)


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"onnxruntime cannot load .*broken\.onnx"):
        load_exported(tmp_path / "broken.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", [value], [other])
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ExportError, match="was not written by 'detcore export'"):
        load_exported(tmp_path / "other.onnx")
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        load_exported(tmp_path / "absent.onnx")
    with pytest.raises(ExportError, match="exported files end in"):
        load_exported(tmp_path / "model.engine")


def test_an_exported_file_neither_trains_nor_gives_features() -> None:
    class Nothing:
        """An engine that is never run."""

        metadata = describe(small_detector("retinanet_r50_fpn_1x_coco"))

    detector = ExportedDetector(Nothing())  # type: ignore[arg-type]  # only its metadata is read
    with pytest.raises(ExportError, match="cannot be trained"):
        detector(img=torch.zeros(1, 3, 8, 8), img_metas=[{}])
    with pytest.raises(ExportError, match="no features"):
        detector.extract_feat(torch.zeros(1, 3, 8, 8))
    view = [torch.zeros(1, 3, 8, 8)] * 2
    with pytest.raises(DetcoreError, match="takes one view"):
        detector(return_loss=False, img=view, img_metas=[[{}], [{}]])
