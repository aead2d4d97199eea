"""Weights of detectron2, pycls, MoCo and SwAV under detcore's keys."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cvcore.errors import CheckpointError, FileError
from cvcore.fileio.plain_pickle import load_plain_pickle
from detcore.compat.checkpoints.detectron2 import convert_detectron2
from detcore.compat.checkpoints.pycls import convert_pycls, is_pycls
from detcore.compat.checkpoints.self_supervised import (
    convert_self_supervised,
    is_self_supervised,
)
from detcore.models.backbones.regnet import RegNet
from detcore.models.backbones.resnet import ResNet

BRANCH_OF = {"conv1": "2a", "conv2": "2b", "conv3": "2c", "bn1": "2a", "bn2": "2b", "bn3": "2c"}


def caffe2_blobs(model: ResNet) -> dict[str, np.ndarray]:
    """A caffe-style ResNet-50 as MSRA's blobs: scale and bias in place of statistics."""
    state = model.state_dict()
    blobs: dict[str, np.ndarray] = {"fc1000_w": np.zeros((1, 1), np.float32)}
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if leaf.startswith(("running", "num_batches")):
            continue
        is_norm = "bn" in layer or layer.endswith("downsample.1")
        ending = {"weight": "bn_s" if is_norm else "w", "bias": "bn_b"}[leaf]
        if is_norm:
            variance = state[f"{layer}.running_var"] + 1e-5
            scale = state[f"{layer}.weight"] / variance.sqrt()
            shift = state[f"{layer}.bias"] - state[f"{layer}.running_mean"] * scale
            value = scale if leaf == "weight" else shift  # noqa: PLW2901
        if "." not in layer:
            name = f"{'res_' if is_norm else ''}conv1_{ending}"
        else:
            stage, block, part = layer.split(".", 2)
            branch = "1" if part.startswith("downsample") else BRANCH_OF[part]
            name = f"res{int(stage[-1]) + 1}_{block}_branch{branch}_{ending}"
        blobs[name] = value.numpy()
    return blobs


def test_a_backbone_of_caffe2_blobs_gives_the_same_features() -> None:
    torch.manual_seed(0)
    source, target = (ResNet(50, style="caffe", base_channels=4).eval() for _ in range(2))
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    file = pickle.dumps({"model": caffe2_blobs(source), "__author__": "MSRA"}, protocol=2)

    converted = convert_detectron2(load_plain_pickle(file))
    assert converted.left_out == ["fc1000_w"]
    missing, unexpected = target.load_state_dict(converted.state_dict, strict=False)
    assert unexpected == []
    assert all(key.endswith("num_batches_tracked") for key in missing)
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        for ours, theirs in zip(target(image), source(image), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_keys_of_a_detector_and_of_a_backbone_of_todays_detectron2_are_known() -> None:
    expected = {
        "backbone.bottom_up.stem.conv1.weight": "backbone.conv1.weight",
        "backbone.bottom_up.stem.conv1.norm.running_var": "backbone.bn1.running_var",
        "backbone.bottom_up.res4.5.conv2.weight": "backbone.layer3.5.conv2.weight",
        "backbone.bottom_up.res2.0.shortcut.weight": "backbone.layer1.0.downsample.0.weight",
        "backbone.bottom_up.res2.0.shortcut.norm.weight": "backbone.layer1.0.downsample.1.weight",
        "backbone.fpn_lateral5.bias": "neck.lateral_convs.3.conv.bias",
        "backbone.fpn_output2.weight": "neck.fpn_convs.0.conv.weight",
        "proposal_generator.rpn_head.objectness_logits.bias": "rpn_head.rpn_cls.bias",
        "roi_heads.box_head.fc2.weight": "roi_head.bbox_head.shared_fcs.1.weight",
        "roi_heads.box_predictor.cls_score.bias": "roi_head.bbox_head.fc_cls.bias",
        "roi_heads.mask_head.mask_fcn4.weight": "roi_head.mask_head.convs.3.conv.weight",
        "roi_heads.mask_head.predictor.bias": "roi_head.mask_head.conv_logits.bias",
    }
    one = np.ones(1, np.float32)
    content: dict[str, Any] = {"model": {**dict.fromkeys(expected, one), "pixel_mean": one}}
    converted = convert_detectron2(content)
    assert set(converted.state_dict) == set(expected.values())
    assert converted.left_out == ["pixel_mean"]
    backbone = convert_detectron2({"model": {"res3.1.conv1.norm.bias": one}})
    # A norm without statistics gets neutral ones: 1 / sqrt(1 - 1e-5 + 1e-5) = 1.
    assert backbone.state_dict["layer2.1.bn1.running_mean"].item() == 0
    assert backbone.state_dict["layer2.1.bn1.running_var"].item() == pytest.approx(1 - 1e-5)


def test_what_does_not_convert_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"'head\.cls_subnet\.0\.weight'"):
        convert_detectron2({"model": {"head.cls_subnet.0.weight": np.ones(1)}})
    with pytest.raises(CheckpointError, match="C4"):
        convert_detectron2({"model": {"roi_heads.res5.0.conv1.weight": np.ones(1)}})


def test_a_pickle_that_would_run_code_is_refused() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (print, ("boom",))

    buffer = io.BytesIO()
    pickle.dump({"model": Bomb()}, buffer)
    with pytest.raises(FileError, match="not plain data"):
        load_plain_pickle(buffer.getvalue())


def as_pycls(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """detcore's RegNet under the names of pycls."""
    names = {"conv": ("a", "b", "c"), "bn": ("a_bn", "b_bn", "c_bn")}
    renamed = {"head.fc.weight": torch.zeros(1)}
    for key, value in weights.items():
        layer, _, leaf = key.rpartition(".")
        if "." not in layer:
            renamed[f"stem.{layer[:-1]}.{leaf}"] = value
            continue
        stage, block, part = layer.split(".", 2)
        if part.startswith("downsample"):
            part = ("proj", "bn")[int(part[-1])]
        else:
            part = f"f.{names[part[:-1]][int(part[-1]) - 1]}"
        renamed[f"s{stage[-1]}.b{int(block) + 1}.{part}.{leaf}"] = value
    return renamed


def test_a_regnet_of_pycls_fits_the_backbone_of_that_name() -> None:
    weights = RegNet("regnetx_400mf").state_dict()
    theirs = as_pycls(dict(weights))
    assert is_pycls(theirs)
    converted = convert_pycls(theirs)
    assert converted.left_out == ["head.fc.weight"]
    assert converted.state_dict.keys() == weights.keys()
    assert all(torch.equal(converted.state_dict[key], weights[key]) for key in weights)
    with pytest.raises(CheckpointError, match="RegNetY does not"):
        convert_pycls({"s1.b1.f.se.f_ex.0.weight": torch.zeros(1)})


def test_the_resnet_of_moco_and_of_swav_is_taken_out_of_their_trainings() -> None:
    weights = ResNet(18, base_channels=4).state_dict()
    one = torch.zeros(1)
    moco = {f"encoder_q.{key}": value for key, value in weights.items()}
    moco |= {f"encoder_k.{key}": value for key, value in weights.items()}
    moco |= {"encoder_q.fc.0.weight": one, "queue": one}
    swav = {**weights, "projection_head.0.weight": one, "prototypes.weight": one}
    for theirs in (moco, swav):
        assert is_self_supervised(theirs)
        converted = convert_self_supervised(theirs)
        assert converted.state_dict.keys() == weights.keys()
        assert all(converted.state_dict[key] is weights[key] for key in weights)
        assert len(converted.left_out) + len(weights) == len(theirs)
    assert not is_self_supervised({**weights, "fc.weight": one})  # torchvision's
