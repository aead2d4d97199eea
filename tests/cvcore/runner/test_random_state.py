from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from cvcore.dist import generator
from cvcore.runner.random_state import (
    get_random_state,
    preserved_random_state,
    set_random_state,
)


def draw() -> list[float]:
    """One number of each kind; a normal one of numpy, which keeps the second of its pair."""
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.randn()),
        float(torch.rand(1)),
        float(generator().random()),
    ]


def test_all_generators_draw_the_same_again_after_a_way_through_a_file(tmp_path: Path) -> None:
    draw()
    torch.save(get_random_state(), tmp_path / "state.pth")
    first = draw()
    draw()

    set_random_state(torch.load(tmp_path / "state.pth", weights_only=True))

    assert draw() == first


def test_a_preserved_state_hides_what_is_drawn_inside() -> None:
    before = get_random_state()
    expected = draw()
    set_random_state(before)
    with preserved_random_state():
        draw()

    assert draw() == expected
