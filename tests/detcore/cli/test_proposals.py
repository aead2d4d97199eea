"""Proposals written by an RPN and read by Fast R-CNN, from command line to command line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detcore.cli.test import main as evaluate
from detcore.cli.train import main as train

RPN = """
_base_ = 'BASE'
model = dict(
    _delete_=True,
    type='RPN',
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    rpn_head={{_base_.model.rpn_head}},
    test_cfg=dict(rpn={{_base_.model.test_cfg.rpn}}))
"""
FAST = """
_base_ = 'BASE'
model = dict(
    _delete_=True,
    type='FastRCNN',
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    roi_head={{_base_.model.roi_head}},
    train_cfg=dict(rcnn={{_base_.model.train_cfg.rcnn}}),
    test_cfg=dict(rcnn={{_base_.model.test_cfg.rcnn}}))
norm = {{_base_.img_norm_cfg}}
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadProposals', num_max_proposals=50),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', img_scale=(256, 192), keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    dict(type='Normalize', **norm),
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'proposals', 'gt_bboxes', 'gt_labels', 'gt_masks']),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadProposals'),
    dict(
        type='MultiScaleFlipAug',
        img_scale=(256, 192),
        flip=False,
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip'),
            dict(type='Normalize', **norm),
            dict(type='Pad', size_divisor=32),
            dict(type='ImageToTensor', keys=['img']),
            dict(type='ToTensor', keys=['proposals']),
            dict(type='ToDataContainer', fields=[dict(key='proposals', stack=False)]),
            dict(type='Collect', keys=['img', 'proposals']),
        ]),
]
data = dict(
    train=dict(proposal_file='FILE', pipeline=train_pipeline),
    val=dict(proposal_file='FILE', pipeline=test_pipeline),
    test=dict(proposal_file='FILE', pipeline=test_pipeline))
"""


def written(path: Path, text: str, base: Path, file: Path | None = None) -> str:
    text = text.replace("BASE", base.as_posix()).replace("FILE", str(file))
    path.write_text(text, encoding="utf-8")
    return str(path)


def results_of(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return pickle.load(file)


@pytest.mark.parametrize("suffix", [".pkl", ".json"])
def test_fast_rcnn_on_an_rpns_proposals_finds_what_both_stages_find(
    suffix: str, trained_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    weights = str(trained_run / "latest.pth")
    proposals = tmp_path / f"proposals{suffix}"
    rpn = written(tmp_path / "rpn.py", RPN, tiny_config)
    assert evaluate([rpn, weights, "--out", str(proposals), "--eval", "proposal_fast"]) == 0
    fast = written(tmp_path / "fast.py", FAST, tiny_config, proposals)
    assert evaluate([fast, weights, "--out", str(tmp_path / "fast.pkl")]) == 0
    assert evaluate([str(tiny_config), weights, "--out", str(tmp_path / "both.pkl")]) == 0
    found, expected = (results_of(tmp_path / f"{name}.pkl") for name in ("fast", "both"))
    assert len(found) == len(expected) == 4
    for (boxes, masks), (other_boxes, other_masks) in zip(found, expected, strict=True):
        assert sum(map(len, other_boxes)) > 0
        for one, other in zip(boxes, other_boxes, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
        assert list(map(len, masks)) == list(map(len, other_masks))


def test_fast_rcnn_trains_on_proposals_of_the_training_images(
    trained_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    weights = str(trained_run / "latest.pth")
    proposals = tmp_path / "proposals.pkl"
    of_training = RPN + (
        "data = dict(test=dict(ann_file={{_base_.data.train.ann_file}}, "
        "img_prefix={{_base_.data.train.img_prefix}}))\n"
    )
    rpn = written(tmp_path / "rpn.py", of_training, tiny_config)
    assert evaluate([rpn, weights, "--out", str(proposals)]) == 0
    fast = written(tmp_path / "fast.py", FAST, tiny_config, proposals)
    options = ["--no-validate", "--cfg-options", "runner.max_epochs=1", "data.workers_per_gpu=0"]
    assert train([fast, "--work-dir", str(tmp_path / "run"), "--seed", "7", *options]) == 0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line) for line in lines if '"train"' in line]
    assert losses
    assert all(np.isfinite(record["loss_mask"]) for record in losses)
    assert not any("loss_rpn_cls" in record for record in losses)


def test_results_with_masks_are_written_as_json_too(
    trained_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    target = tmp_path / "results.json"
    assert evaluate([str(tiny_config), str(trained_run / "latest.pth"), "--out", str(target)]) == 0
    results = json.loads(target.read_text(encoding="utf-8"))
    boxes, masks = results[0]
    assert len(boxes) == len(masks) == 5
    first = next(mask for of_class in masks for mask in of_class)
    assert first["size"] == [96, 128]
    assert isinstance(first["counts"], str)
