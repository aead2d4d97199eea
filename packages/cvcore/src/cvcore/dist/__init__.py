"""One process and many run the same code: ranks, collectives and seeds."""

from __future__ import annotations

from cvcore.dist.agree import agreed_signal, gather_or_leave, patient_group
from cvcore.dist.collect import (
    all_gather_object,
    all_reduce_mean,
    allreduce_grads,
    allreduce_params,
    barrier,
    broadcast_object,
    master_only,
    reduce_dict,
)
from cvcore.dist.env import get_dist_info, init_dist, is_distributed, is_main, shutdown
from cvcore.dist.seed import (
    generator,
    init_random_seed,
    sample_randomness,
    set_random_seed,
    worker_init_fn,
)

__all__ = [
    "agreed_signal",
    "all_gather_object",
    "all_reduce_mean",
    "allreduce_grads",
    "allreduce_params",
    "barrier",
    "broadcast_object",
    "gather_or_leave",
    "generator",
    "get_dist_info",
    "init_dist",
    "init_random_seed",
    "is_distributed",
    "is_main",
    "master_only",
    "patient_group",
    "reduce_dict",
    "sample_randomness",
    "set_random_seed",
    "shutdown",
    "worker_init_fn",
]
