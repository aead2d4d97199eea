"""Which images form an epoch, in which order; every order follows from (seed, epoch) alone."""

from __future__ import annotations

from detcore.datasets.samplers.class_aware import ClassAwareSampler
from detcore.datasets.samplers.distributed import DistributedSampler
from detcore.datasets.samplers.group import DistributedGroupSampler, GroupSampler
from detcore.datasets.samplers.infinite import InfiniteBatchSampler, InfiniteGroupBatchSampler

__all__ = [
    "ClassAwareSampler",
    "DistributedGroupSampler",
    "DistributedSampler",
    "GroupSampler",
    "InfiniteBatchSampler",
    "InfiniteGroupBatchSampler",
]
