"""What every sampler's order rests on: a seed, an epoch, a rank and groups of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cvcore.dist import get_dist_info
from detcore.errors import OptionError


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """What draws the order of an epoch."""
    generator = torch.Generator()
    generator.manual_seed(seed + epoch)
    return generator


def own_place(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """Number of ranks and own rank; those of the process group where not given."""
    own_rank, world_size = get_dist_info()
    return (
        world_size if num_replicas is None else num_replicas,
        own_rank if rank is None else rank,
    )


def groups_of(dataset: Any) -> np.ndarray:
    """(n,) int64, the group of each image of a dataset.

    Raises:
        OptionError: The dataset has no groups.
    """
    if not hasattr(dataset, "flag"):
        raise OptionError(
            f"{type(dataset).__name__} has no `flag` to group images by; it is set in training "
            "datasets (test_mode=False)"
        )
    return np.asarray(dataset.flag).astype(np.int64)
