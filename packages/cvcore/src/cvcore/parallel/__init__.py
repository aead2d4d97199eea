"""DataContainer, collate, and the wrappers that feed a model with collated batches."""

from __future__ import annotations

from cvcore.parallel.collate import collate
from cvcore.parallel.data_container import DataContainer
from cvcore.parallel.fully_sharded import MMFullyShardedDataParallel
from cvcore.parallel.scatter import scatter, scatter_kwargs
from cvcore.parallel.wrappers import (
    MODULE_WRAPPERS,
    MMDataParallel,
    MMDistributedDataParallel,
    is_module_wrapper,
)

__all__ = [
    "MODULE_WRAPPERS",
    "DataContainer",
    "MMDataParallel",
    "MMDistributedDataParallel",
    "MMFullyShardedDataParallel",
    "collate",
    "is_module_wrapper",
    "scatter",
    "scatter_kwargs",
]
