"""Anchor sizes that fit the boxes of a data set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from detcore.apis.measure.anchor_sizes import (
    as_base_sizes,
    box_sizes,
    evolve,
    k_means,
    mean_overlap,
)
from detcore.cli.main import main
from detcore.errors import DetcoreError

# Three clusters around 10 x 10, 40 x 20 and 100 x 200, of 30 boxes each.
CENTRES = np.array([[10, 10], [40, 20], [100, 200]], dtype=float)
SIZES = np.concatenate(
    [centre * (1 + np.random.default_rng(0).uniform(-0.1, 0.1, (30, 2))) for centre in CENTRES]
)


def test_k_means_finds_the_clusters() -> None:
    anchors = k_means(SIZES, 3)
    np.testing.assert_allclose(anchors, CENTRES, rtol=0.05)
    assert mean_overlap(SIZES, anchors) > 0.85


def test_overlap_is_that_of_boxes_with_one_centre() -> None:
    # 10 x 20 and 20 x 10 share 10 x 10 of 200 + 200 - 100.
    assert mean_overlap(np.array([[10.0, 20.0]]), np.array([[20.0, 10.0]])) == pytest.approx(1 / 3)


def test_evolution_is_at_least_as_good() -> None:
    pytest.importorskip("scipy")
    anchors = evolve(SIZES, 2, (300, 300), iterations=20)
    assert mean_overlap(SIZES, anchors) >= mean_overlap(SIZES, k_means(SIZES, 2)) - 1e-9


def test_sizes_are_those_of_the_network_input() -> None:
    dataset = SimpleNamespace(
        data_infos=[{"width": 100, "height": 50}],
        get_ann_info=lambda index: {"bboxes": np.array([[0, 0, 10, 20], [5, 5, 5, 9]])},
    )
    # Kept aspect: min(200 / 100, 200 / 50) = 2; the second box has no width.
    assert box_sizes(dataset, (200, 200)).tolist() == [[20, 40]]
    assert box_sizes(dataset, (200, 200), keep_ratio=False).tolist() == [[20, 80]]


def test_levels_come_with_the_largest_first() -> None:
    anchors = np.array([[1.2, 2], [3, 4], [5, 6], [7, 8.6]])
    assert as_base_sizes(anchors, 2) == [[(5, 6), (7, 9)], [(1, 2), (3, 4)]]


def test_more_anchors_than_sizes_are_refused() -> None:
    with pytest.raises(DetcoreError, match="3 anchors cannot be fitted to 1 different"):
        k_means(np.ones((5, 2)), 3)


def test_the_command_prints_what_a_config_takes(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["anchors", str(tiny_config), "--count", "4", "--levels", "2"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    values = eval(line.removeprefix("base_sizes="))  # our own output: lists of pairs
    assert [len(level) for level in values] == [2, 2]
    areas = [w * h for level in reversed(values) for w, h in level]
    assert areas == sorted(areas)
    assert main(["anchors", str(tiny_config), "--count", "5", "--levels", "2"]) == 2
