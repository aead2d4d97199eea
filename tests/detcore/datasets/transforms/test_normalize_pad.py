"""`Normalize` with the `Pad` behind it: one pass, and the same sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detcore.datasets.transforms import Compose, Normalize, Pad
from detcore.datasets.transforms.normalize_pad import fused

Maker = Callable[..., dict[str, Any]]
MEAN, STD = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]


@pytest.mark.parametrize(
    "padding", [{"size_divisor": 32}, {"size": (90, 120)}, {"pad_to_square": True}]
)
def test_both_in_one_pass_give_what_each_gives_alone(
    make_sample: Maker, padding: dict[str, Any]
) -> None:
    normalize, pad = Normalize(MEAN, STD), Pad(**padding, pad_val={"img": 7})
    together = Compose([normalize, pad])(make_sample())
    alone = pad(normalize(make_sample()))
    assert together is not None
    assert together.keys() == alone.keys()
    assert np.array_equal(together["img"], alone["img"])
    assert together["img"].dtype == np.float32
    for key in ("pad_shape", "pad_fixed_size", "pad_size_divisor"):
        assert together[key] == alone[key]
    assert np.array_equal(together["gt_masks"].masks, alone["gt_masks"].masks)


def test_only_the_two_themselves_are_joined() -> None:
    class Own(Pad):
        pass

    normalize, pad, own = Normalize(MEAN, STD), Pad(size_divisor=32), Own(size_divisor=32)
    assert list(fused([normalize, own])) == [normalize, own]
    assert list(fused([pad, normalize])) == [pad, normalize]
    assert len(list(fused([normalize, pad, own]))) == 2
