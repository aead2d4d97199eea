"""Matching priors with objects, and drawing those that train."""

from __future__ import annotations

from detcore.matching.assigners import (
    ApproxMaxIoUAssigner,
    ATSSAssigner,
    BaseAssigner,
    CenterRegionAssigner,
    MaxIoUAssigner,
)
from detcore.matching.build import build_assigner, build_sampler
from detcore.matching.results import AssignResult, SamplingResult
from detcore.matching.samplers import (
    BaseSampler,
    CombinedSampler,
    InstanceBalancedPosSampler,
    IoUBalancedNegSampler,
    OHEMSampler,
    PseudoSampler,
    RandomSampler,
    ScoreHLRSampler,
)

__all__ = [
    "ATSSAssigner",
    "ApproxMaxIoUAssigner",
    "AssignResult",
    "BaseAssigner",
    "BaseSampler",
    "CenterRegionAssigner",
    "CombinedSampler",
    "InstanceBalancedPosSampler",
    "IoUBalancedNegSampler",
    "MaxIoUAssigner",
    "OHEMSampler",
    "PseudoSampler",
    "RandomSampler",
    "SamplingResult",
    "ScoreHLRSampler",
    "build_assigner",
    "build_sampler",
]
