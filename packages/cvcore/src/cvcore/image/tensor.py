"""Network inputs back to images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cvcore.errors import ConfigError
from cvcore.image.color import imdenormalize


def tensor2imgs(
    tensor: Tensor,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    to_rgb: bool = True,
) -> list[np.ndarray]:
    """Undo the normalisation of a batch.

    Args:
        tensor: (n, c, h, w) float, c is 1 or 3.
        mean: What was subtracted, one a channel; None for 0.
        std: What was divided by, one a channel; None for 1.
        to_rgb: Whether the network's input is RGB, made from BGR; not for one channel.

    Returns:
        n BGR images, (h, w, c) uint8.
    """
    if tensor.dim() != 4 or tensor.shape[1] not in (1, 3):
        raise ConfigError(
            f"tensor2imgs takes (n, 1, h, w) or (n, 3, h, w), not {tuple(tensor.shape)}"
        )
    channels = tensor.shape[1]
    if channels == 1 and to_rgb:
        raise ConfigError("tensor2imgs: an image of one channel has no RGB order; to_rgb=False")
    mean = [0.0] * channels if mean is None else mean
    std = [1.0] * channels if std is None else std
    batch = tensor.detach().float().cpu().permute(0, 2, 3, 1).numpy()
    return [
        np.ascontiguousarray(
            np.clip(imdenormalize(image, mean, std, to_bgr=to_rgb), 0, 255).astype(np.uint8)
        )
        for image in batch
    ]
