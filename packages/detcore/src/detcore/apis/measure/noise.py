"""A batch of noise, to measure a detector with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def noise_batch(
    batch_size: int, height: int, width: int, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """What a detector is given to test on: one view of ``batch_size`` images, the same each time.

    Args:
        batch_size: Images.
        height: In pixels, a multiple of what the model's strides ask for.
        width: As height.
        device: Where the pixels go.
    """
    shape = (height, width, 3)
    meta = {
        "img_shape": shape,
        "pad_shape": shape,
        "ori_shape": shape,
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
        "filename": "noise",
    }
    noise = torch.randn(batch_size, 3, height, width, generator=torch.Generator().manual_seed(0))
    image = noise.to(device=device, memory_format=torch.channels_last)
    return {"img": [image], "img_metas": [[dict(meta) for _ in range(batch_size)]]}
