"""One registry per role; a config's ``type`` is looked up in the registry of its role."""

from __future__ import annotations

from cvcore.cnn.registry import MODELS as CVCORE_MODELS
from cvcore.registry import Registry

_MODELS = ("detcore.models",)
_DATASETS = ("detcore.datasets",)
_MATCHING = ("detcore.matching",)
_BOXES = ("detcore.boxes",)

MODELS = Registry("model", parent=CVCORE_MODELS, scope="detcore", packages=_MODELS)
BACKBONES = Registry("backbone", parent=MODELS, scope="detcore", packages=_MODELS)
NECKS = Registry("neck", parent=MODELS, scope="detcore", packages=_MODELS)
HEADS = Registry("head", parent=MODELS, scope="detcore", packages=_MODELS)
ROI_EXTRACTORS = Registry("roi extractor", parent=MODELS, scope="detcore", packages=_MODELS)
SHARED_HEADS = Registry("shared head", parent=MODELS, scope="detcore", packages=_MODELS)
LOSSES = Registry("loss", parent=MODELS, scope="detcore", packages=_MODELS)
DETECTORS = Registry("detector", parent=MODELS, scope="detcore", packages=_MODELS)

DATASETS = Registry("dataset", scope="detcore", packages=_DATASETS)
PIPELINES = Registry("transform", scope="detcore", packages=_DATASETS)
SAMPLERS = Registry("data sampler", scope="detcore", packages=_DATASETS)

BBOX_ASSIGNERS = Registry("assigner", scope="detcore", packages=_MATCHING)
BBOX_SAMPLERS = Registry("box sampler", scope="detcore", packages=_MATCHING)
MATCH_COST = Registry("match cost", scope="detcore", packages=_MATCHING)

BBOX_CODERS = Registry("box coder", scope="detcore", packages=_BOXES)
PRIOR_GENERATORS = Registry("prior generator", scope="detcore", packages=_BOXES)
ANCHOR_GENERATORS = PRIOR_GENERATORS  # the name before points joined the anchors
IOU_CALCULATORS = Registry("overlap calculator", scope="detcore", packages=_BOXES)

__all__ = [
    "ANCHOR_GENERATORS",
    "BACKBONES",
    "BBOX_ASSIGNERS",
    "BBOX_CODERS",
    "BBOX_SAMPLERS",
    "DATASETS",
    "DETECTORS",
    "HEADS",
    "IOU_CALCULATORS",
    "LOSSES",
    "MATCH_COST",
    "MODELS",
    "NECKS",
    "PIPELINES",
    "PRIOR_GENERATORS",
    "ROI_EXTRACTORS",
    "SAMPLERS",
    "SHARED_HEADS",
]
