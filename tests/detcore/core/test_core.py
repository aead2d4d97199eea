"""The old names of ``mmdet.core``."""

from __future__ import annotations

import pytest
import torch

from detcore import core
from detcore.core.anchor import build_anchor_generator
from detcore.core.bbox import build_assigner, build_bbox_coder, build_iou_calculator


def test_every_name_that_is_promised_is_there() -> None:
    missing = [name for name in core.__all__ if not hasattr(core, name)]
    assert not missing
    assert len(set(core.__all__)) == len(core.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "AnchorGenerator",
        "BitmapMasks",
        "PolygonMasks",
        "bbox2result",
        "bbox2roi",
        "bbox_mapping_back",
        "bbox_overlaps",
        "build_assigner",
        "build_bbox_coder",
        "build_prior_generator",
        "build_sampler",
        "delta2bbox",
        "distance2bbox",
        "encode_mask_results",
        "eval_map",
        "images_to_levels",
        "mask_target",
        "merge_aug_bboxes",
        "multi_apply",
        "multiclass_nms",
        "reduce_mean",
        "unmap",
    ],
)
def test_a_name_that_users_import_is_promised(name: str) -> None:
    assert name in core.__all__


def test_parts_are_built_with_defaults_for_what_the_config_leaves_out() -> None:
    coder = build_bbox_coder({"type": "DeltaXYWHBBoxCoder"}, clip_border=False)
    assert not coder.clip_border
    assigner = build_assigner(
        {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.5}, pos_iou_thr=0.9
    )
    assert assigner.pos_iou_thr == 0.5
    generator = build_anchor_generator(
        {"type": "AnchorGenerator", "strides": [8], "ratios": [1.0]}, {"scales": [1.0]}
    )
    assert generator.num_base_priors == [1]
    assert build_iou_calculator({"type": "BboxOverlaps2D"}).scale == 1


def test_in_one_process_the_mean_over_all_is_the_value_itself() -> None:
    assert core.reduce_mean(torch.tensor([3.0])).tolist() == [3]
