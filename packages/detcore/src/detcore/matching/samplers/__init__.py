"""Samplers: the priors of an assignment that train."""

from __future__ import annotations

from detcore.matching.samplers.base import BaseSampler
from detcore.matching.samplers.ohem import OHEMSampler
from detcore.matching.samplers.pseudo import PseudoSampler
from detcore.matching.samplers.random import (
    CombinedSampler,
    InstanceBalancedPosSampler,
    IoUBalancedNegSampler,
    RandomSampler,
)
from detcore.matching.samplers.score_hlr import ScoreHLRSampler

__all__ = [
    "BaseSampler",
    "CombinedSampler",
    "InstanceBalancedPosSampler",
    "IoUBalancedNegSampler",
    "OHEMSampler",
    "PseudoSampler",
    "RandomSampler",
    "ScoreHLRSampler",
]
