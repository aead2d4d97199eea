"""Boxes under their names in ``mmdet.core.bbox``; the definitions live in boxes/ and matching/."""

from __future__ import annotations

from detcore.boxes import (
    BaseBBoxCoder,
    BboxOverlaps2D,
    BucketingBBoxCoder,
    DeltaXYWHBBoxCoder,
    DistancePointBBoxCoder,
    LegacyDeltaXYWHBBoxCoder,
    PseudoBBoxCoder,
    TBLRBBoxCoder,
    YOLOBBoxCoder,
    bbox_overlaps,
    build_bbox_coder,
    build_iou_calculator,
)
from detcore.boxes import boxes_to_results as bbox2result
from detcore.boxes import boxes_to_rois as bbox2roi
from detcore.boxes import cxcywh_to_xyxy as bbox_cxcywh_to_xyxy
from detcore.boxes import decode_deltas as delta2bbox
from detcore.boxes import decode_distances as distance2bbox
from detcore.boxes import decode_tblr as tblr2bboxes
from detcore.boxes import encode_deltas as bbox2delta
from detcore.boxes import encode_distances as bbox2distance
from detcore.boxes import encode_tblr as bboxes2tblr
from detcore.boxes import flip_boxes as bbox_flip
from detcore.boxes import inside_mask as find_inside_bboxes
from detcore.boxes import map_boxes as bbox_mapping
from detcore.boxes import map_boxes_back as bbox_mapping_back
from detcore.boxes import rois_to_boxes as roi2bbox
from detcore.boxes import scale_boxes as bbox_rescale
from detcore.boxes import xyxy_to_cxcywh as bbox_xyxy_to_cxcywh
from detcore.matching import (
    ApproxMaxIoUAssigner,
    AssignResult,
    ATSSAssigner,
    BaseAssigner,
    BaseSampler,
    CenterRegionAssigner,
    CombinedSampler,
    InstanceBalancedPosSampler,
    IoUBalancedNegSampler,
    MaxIoUAssigner,
    OHEMSampler,
    PseudoSampler,
    RandomSampler,
    SamplingResult,
    ScoreHLRSampler,
    build_assigner,
    build_sampler,
)
from detcore.registries import BBOX_ASSIGNERS, BBOX_CODERS, BBOX_SAMPLERS, IOU_CALCULATORS

__all__ = [
    "BBOX_ASSIGNERS",
    "BBOX_CODERS",
    "BBOX_SAMPLERS",
    "IOU_CALCULATORS",
    "ATSSAssigner",
    "ApproxMaxIoUAssigner",
    "AssignResult",
    "BaseAssigner",
    "BaseBBoxCoder",
    "BaseSampler",
    "BboxOverlaps2D",
    "BucketingBBoxCoder",
    "CenterRegionAssigner",
    "CombinedSampler",
    "DeltaXYWHBBoxCoder",
    "DistancePointBBoxCoder",
    "InstanceBalancedPosSampler",
    "IoUBalancedNegSampler",
    "LegacyDeltaXYWHBBoxCoder",
    "MaxIoUAssigner",
    "OHEMSampler",
    "PseudoBBoxCoder",
    "PseudoSampler",
    "RandomSampler",
    "SamplingResult",
    "ScoreHLRSampler",
    "TBLRBBoxCoder",
    "YOLOBBoxCoder",
    "bbox2delta",
    "bbox2distance",
    "bbox2result",
    "bbox2roi",
    "bbox_cxcywh_to_xyxy",
    "bbox_flip",
    "bbox_mapping",
    "bbox_mapping_back",
    "bbox_overlaps",
    "bbox_rescale",
    "bbox_xyxy_to_cxcywh",
    "bboxes2tblr",
    "build_assigner",
    "build_bbox_coder",
    "build_iou_calculator",
    "build_sampler",
    "delta2bbox",
    "distance2bbox",
    "find_inside_bboxes",
    "roi2bbox",
    "tblr2bboxes",
]
