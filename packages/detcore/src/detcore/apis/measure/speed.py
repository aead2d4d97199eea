"""How long a detector takes from a batch of pixels to its detections."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from detcore.apis.device import device_of
from detcore.apis.measure.noise import noise_batch


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """Seconds that a batch took, and where."""

    seconds: list[float]
    device: str
    threads: int

    @property
    def median(self) -> float:
        """The middle one; outliers of a busy machine do not move it."""
        return median(self.seconds)

    @property
    def lowest(self) -> float:
        """The shortest."""
        return min(self.seconds)

    @property
    def highest(self) -> float:
        """The longest."""
        return max(self.seconds)


@torch.no_grad()
def time_inference(
    model: nn.Module,
    height: int,
    width: int,
    batch_size: int = 1,
    repeats: int = 10,
    warm_up: int = 2,
) -> BatchTimes:
    """Run a detector on noise and time every batch.

    Args:
        model: From ``init_detector``.
        height: Of the network's input, in pixels; rounded up to a multiple of 32.
        width: As height.
        batch_size: Images in a batch.
        repeats: Batches to time.
        warm_up: Batches before them, which allocate and choose algorithms.
    """
    device = device_of(model)
    height, width = -(-height // 32) * 32, -(-width // 32) * 32
    batch = noise_batch(batch_size, height, width, device)
    seconds = []
    for _ in range(warm_up + repeats):
        started = now(device)
        model(return_loss=False, rescale=True, **batch)
        seconds.append(now(device) - started)
    return BatchTimes(seconds[warm_up:], str(device), torch.get_num_threads())


def now(device: torch.device) -> float:
    """The time at which everything asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
