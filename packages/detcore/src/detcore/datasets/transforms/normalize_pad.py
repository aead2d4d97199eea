"""`Normalize` and `Pad` in one pass: the float image is written once, to its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeGuard

import numpy as np

from cvcore.image import normalize_into
from detcore.datasets.transforms.color import Normalize
from detcore.datasets.transforms.pad import Pad
from detcore.datasets.transforms.reading_order import NormalizeAsRead, read_in_order

Results = dict[str, Any]
Transform = Callable[[Results], Results | None]


def fused(transforms: Sequence[Transform]) -> Iterator[Transform]:
    """The transforms in order, a `Normalize` with the `Pad` behind it as one.

    What a sample is afterwards is the same; so is what transforms of others see meanwhile.
    """
    transforms = read_in_order(transforms)
    skip = False
    for transform, following in zip_longest(transforms, transforms[1:]):
        if skip:
            skip = False
        # Exact types: what a subclass does is its own.
        elif _is_normalize(transform) and type(following) is Pad:
            skip = True
            yield _NormalizeAndPad(transform, following)
        else:
            yield transform


def _is_normalize(transform: Transform | None) -> TypeGuard[Normalize]:
    return type(transform) in (Normalize, NormalizeAsRead)


class _NormalizeAndPad:
    """What the two do one after the other."""

    def __init__(self, normalize: Normalize, pad: Pad) -> None:
        self.normalize = normalize
        self.pad = pad

    def __call__(self, results: Results) -> Results:
        for key in results.get("img_fields", ["img"]):
            results[key] = self._image(results[key])
        self.normalize.note(results)
        return self.pad.pad_the_rest(results)

    def _image(self, image: np.ndarray) -> np.ndarray:
        height, width = self.pad.padded_size(image.shape)
        canvas = np.empty((height, width, *image.shape[2:]), dtype=np.float32)
        canvas[: image.shape[0], image.shape[1] :] = self.pad.pad_val["img"]
        canvas[image.shape[0] :] = self.pad.pad_val["img"]
        normalize = self.normalize
        normalize_into(canvas, image, normalize.mean, normalize.std, normalize.to_rgb)
        return canvas
