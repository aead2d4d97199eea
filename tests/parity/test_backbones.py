"""Backbones and necks have the stored state-dict keys and give the stored features."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import seeded
import torch
from parity import compare_features
from torch import Tensor, nn

from detcore.registries import BACKBONES, NECKS

FOLDER = Path(__file__).resolve().parent


def stored(name: str) -> list[dict[str, Any]]:
    with gzip.open(FOLDER / name) as file:
        return json.load(file)


def type_of(config: Any) -> str:
    return "+".join(each["type"] for each in (config if isinstance(config, list) else [config]))


@pytest.mark.parametrize(
    "entry",
    stored("backbone_keys.json.gz"),
    ids=lambda entry: f"{entry['source']}-{type_of(entry['config'])}",
)
def test_a_part_has_the_keys_and_shapes_that_checkpoints_hold(entry: dict[str, Any]) -> None:
    with torch.device("meta"):
        part = {"backbone": BACKBONES, "neck": NECKS}[entry["part"]].build(entry["config"])
    shapes = {key: list(value.shape) for key, value in part.state_dict().items()}
    lines = [f"{key}:{json.dumps(shape, separators=(',', ':'))}" for key, shape in shapes.items()]
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    assert digest == entry["keys_sha256"], "\n".join(sorted(lines))


class Trunk(nn.Module):
    """A backbone and its neck under the names that they have in a detector."""

    def __init__(self, backbone: dict[str, Any], neck: Any) -> None:
        super().__init__()
        self.backbone = BACKBONES.build(backbone)
        self.neck = nn.Identity() if neck is None else NECKS.build(neck)

    def extract_feat(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.neck(self.backbone(x))


# One of each kind of layer runs always, the rest where there is time.
QUICK = (
    "retinanet/retinanet_r50_fpn",
    "faster_rcnn/faster_rcnn_r50_caffe_c4",
    "hrnet/",
    "resnest/",
    "swin/",
    "pvt/retinanet_pvtv2",
)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(
            entry,
            id=entry["source"],
            marks=[] if entry["source"].startswith(QUICK) else pytest.mark.slow,
        )
        for entry in stored("backbone_features.json.gz")
    ],
)
def test_seeded_weights_give_the_stored_features(entry: dict[str, Any]) -> None:
    trunk = seeded.fill(Trunk(entry["backbone"], entry["neck"]))
    image = seeded.image(entry["batch"], entry["height"], entry["width"])
    assert compare_features(trunk, SimpleNamespace(image=lambda: image, spec=entry)) == []
