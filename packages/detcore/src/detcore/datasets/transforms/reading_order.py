"""Images read in the order of channels that `Normalize` wants, so that none are exchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from detcore.datasets.transforms.color import Normalize
from detcore.datasets.transforms.flip import RandomFlip
from detcore.datasets.transforms.load import (
    FilterAnnotations,
    LoadAnnotations,
    LoadImageFromFile,
    LoadProposals,
)
from detcore.datasets.transforms.resize import Resize

Results = dict[str, Any]
Transform = Callable[[Results], Results | None]
# They do the same to every channel. Exact types: what a subclass does is its own.
_TO_ANY_CHANNEL = {LoadAnnotations, LoadProposals, FilterAnnotations, Resize, RandomFlip}


class NormalizeAsRead(Normalize):
    """`Normalize` of images whose channels are in its order already; says so to nobody."""

    def __init__(self, normalize: Normalize) -> None:
        super().__init__(normalize.mean, normalize.std, to_rgb=False)
        self._normalize = normalize

    def note(self, results: Results) -> None:
        """What the transform in the config would have noted."""
        self._normalize.note(results)


def read_in_order(transforms: Sequence[Transform]) -> list[Transform]:
    """The transforms; where the first reads BGR that only `Normalize` sees, both go without BGR."""
    steps = list(transforms)
    if not steps or type(steps[0]) is not LoadImageFromFile:
        return steps
    place = 1
    while place < len(steps) and type(steps[place]) in _TO_ANY_CHANNEL:
        place += 1
    load, normalize = steps[0], steps[place] if place < len(steps) else None
    # Exact here too; and "unchanged" might have an alpha channel, which belongs to no order.
    if type(normalize) is not Normalize or not normalize.to_rgb:
        return steps
    if (load.color_type, load.channel_order) != ("color", "bgr"):
        return steps
    steps[0] = copy.copy(load)
    steps[0].channel_order = "rgb"
    steps[place] = NormalizeAsRead(normalize)
    return steps
