"""The state of every random generator of a process, as plain data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from cvcore.dist import generator


def get_random_state() -> dict[str, Any]:
    """States of ``random``, numpy, torch on every device, and cvcore's own generator.

    Returns:
        Plain numbers, texts and lists, and byte tensors for torch.
    """
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    state: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [name, keys.tolist(), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "generator": generator().bit_generator.state,
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Bring back what :func:`get_random_state` returned."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.asarray(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    own = generator().bit_generator
    if state["generator"]["bit_generator"] == own.state["bit_generator"]:
        own.state = state["generator"]
    devices = state.get("cuda", [])
    if torch.cuda.is_available() and len(devices) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([device.cpu() for device in devices])


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Within this context randomness may be drawn; outside it seems that none was."""
    state = get_random_state()
    try:
        yield
    finally:
        set_random_state(state)
