"""Anchors and points on their grids."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch

from detcore.boxes import (
    AnchorGenerator,
    LegacyAnchorGenerator,
    LegacySSDAnchorGenerator,
    MlvlPointGenerator,
    PointGenerator,
    SizedAnchorGenerator,
    SSDAnchorGenerator,
    YOLOAnchorGenerator,
)
from detcore.errors import OptionError
from detcore.registries import PRIOR_GENERATORS


def test_one_square_anchor_a_cell() -> None:
    generator = AnchorGenerator(strides=[16], ratios=[1.0], scales=[1.0], base_sizes=[9])
    anchors = generator.grid_priors([(2, 2)], device="cpu")[0]
    assert anchors.tolist() == [
        [-4.5, -4.5, 4.5, 4.5],
        [11.5, -4.5, 20.5, 4.5],
        [-4.5, 11.5, 4.5, 20.5],
        [11.5, 11.5, 20.5, 20.5],
    ]


def test_ratios_keep_the_area_and_are_height_over_width() -> None:
    generator = AnchorGenerator([8], ratios=[0.25, 1.0, 4.0], scales=[2.0])
    sizes = generator.base_anchors[0][:, 2:] - generator.base_anchors[0][:, :2]
    assert sizes.tolist() == [[32, 8], [16, 16], [8, 32]]


def test_scales_run_fastest_unless_ratios_are_asked_to() -> None:
    settings = {"strides": [8], "ratios": [1.0, 4.0], "scales": [1.0, 2.0]}
    widths = [
        (anchors[:, 2] - anchors[:, 0]).tolist()
        for anchors in (
            AnchorGenerator(**settings).base_anchors[0],
            AnchorGenerator(**settings, scale_major=False).base_anchors[0],
        )
    ]
    assert widths == [[8, 16, 4, 8], [8, 4, 16, 8]]


def test_scales_per_octave_divide_an_octave_evenly() -> None:
    generator = AnchorGenerator([8], ratios=[1.0], octave_base_scale=4, scales_per_octave=3)
    sides = generator.base_anchors[0][:, 2] * 2
    expected = [32 * 2 ** (i / 3) for i in range(3)]
    torch.testing.assert_close(sides, torch.tensor(expected))


def test_centres_come_from_an_offset_or_from_a_list() -> None:
    offset = AnchorGenerator([8], [1.0], [1.0], center_offset=0.5)
    assert offset.base_anchors[0].tolist() == [[0, 0, 8, 8]]
    given = AnchorGenerator([8], [1.0], [1.0], centers=[(4.0, 2.0)])
    assert given.base_anchors[0].tolist() == [[0, -2, 8, 6]]


def test_strides_may_differ_in_x_and_y_and_the_smaller_is_the_base() -> None:
    generator = AnchorGenerator([(8, 4)], [1.0], [1.0])
    anchors = generator.grid_priors([(2, 2)], device="cpu")[0]
    assert anchors[0].tolist() == [-2, -2, 2, 2]
    assert (anchors[3] - anchors[0]).tolist() == [8, 4, 8, 4]


def test_levels_and_counts_are_told() -> None:
    generator = AnchorGenerator([8, 16], [0.5, 1.0], [1.0, 2.0, 3.0])
    assert generator.num_levels == 2
    assert generator.num_base_priors == generator.num_base_anchors == [6, 6]


def test_sparse_priors_are_rows_of_the_grid() -> None:
    generator = AnchorGenerator([8, (16, 12)], [0.5, 1.0], [1.0, 2.0])
    grid = generator.grid_priors([(3, 5), (2, 3)], device="cpu")
    picks = torch.tensor([0, 5, 23, 7])
    sparse = generator.sparse_priors(picks, (2, 3), 1, device="cpu")
    torch.testing.assert_close(sparse, grid[1][picks])


def test_cells_beyond_the_padded_image_are_not_valid() -> None:
    generator = AnchorGenerator([8], [1.0], [1.0, 2.0])
    flags = generator.valid_flags([(3, 3)], (17, 9, 3), device="cpu")[0]
    # 17 / 8 -> 3 rows, 9 / 8 -> 2 columns, two anchors a cell
    assert flags.reshape(3, 3, 2).tolist() == [[[True] * 2, [True] * 2, [False] * 2]] * 3
    assert generator.valid_flags([(3, 3)], (800, 800), device="cpu")[0].all()


def test_a_grid_is_computed_once_until_the_anchors_are_replaced() -> None:
    generator = AnchorGenerator([8], [1.0], [1.0])
    first = generator.grid_priors([(4, 4)], device="cpu")[0]
    assert generator.grid_priors([(4, 4)], device="cpu")[0] is first
    assert generator.grid_priors([(4, 4)], torch.float16, "cpu")[0].dtype == torch.float16
    generator.base_anchors = [generator.base_anchors[0] + 1]
    torch.testing.assert_close(generator.grid_priors([(4, 4)], device="cpu")[0], first + 1)


def test_the_grids_of_many_shapes_do_not_pile_up() -> None:
    generator = AnchorGenerator([8], [1.0], [1.0])
    for size in range(1, 200):
        generator.grid_priors([(size, 1)], device="cpu")
    assert len(generator._cache._grids) == generator._cache.size


def test_a_copy_or_a_pickle_leaves_the_grids_behind() -> None:
    generator = AnchorGenerator([8], [1.0], [1.0])
    generator.grid_priors([(4, 4)], device="cpu")
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert not other._cache._grids
        torch.testing.assert_close(
            other.grid_priors([(4, 4)], device="cpu"), generator.grid_priors([(4, 4)], device="cpu")
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": [1.0], "octave_base_scale": 4, "scales_per_octave": 3}, "either scales"),
        ({}, "either scales"),
        ({"scales": [1.0], "center_offset": 2.0}, "0 to 1"),
        ({"scales": [1.0], "center_offset": 0.5, "centers": [(0, 0)]}, "keep one"),
        ({"scales": [1.0], "base_sizes": [1, 2]}, "2 base_sizes for 1 strides"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        AnchorGenerator([8], [1.0], **settings)


@pytest.mark.parametrize("name", ["AnchorGenerator", "MlvlPointGenerator"])
def test_another_number_of_maps_than_strides_is_refused(name: str) -> None:
    settings = {"ratios": [1.0], "scales": [1.0]} if name == "AnchorGenerator" else {}
    generator = PRIOR_GENERATORS.build({"type": name, "strides": [8, 16], **settings})
    with pytest.raises(OptionError, match="1 feature maps for 2 strides"):
        generator.grid_priors([(4, 4)], device="cpu")


class TestSSD:
    def test_sizes_of_the_300_pixel_network(self) -> None:
        generator = SSDAnchorGenerator(
            strides=[8, 16, 32, 64, 100, 300],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2], [2]],
            basesize_ratio_range=(0.15, 0.9),
            input_size=300,
            scale_major=False,
        )
        assert generator.num_base_priors == [4, 6, 6, 6, 4, 4]
        first = generator.base_anchors[0]
        sides = (first[:, 2:] - first[:, :2]).tolist()
        # 7 % of 300 = 21, up to 15 % = 45; then sqrt(21 * 45) and the ratios 1/2 and 2
        between, short, long = math.sqrt(21 * 45), 21 / math.sqrt(2), 21 * math.sqrt(2)
        expected = [[21, 21], [between, between], [long, short], [short, long]]
        torch.testing.assert_close(torch.tensor(sides), torch.tensor(expected))
        # (90 - 15) / 4 = 18 % from level to level, from 15 % at the second
        squares = [(anchors[0, 2] - anchors[0, 0]).item() for anchors in generator.base_anchors]
        assert squares == pytest.approx([21, 45, 99, 153, 207, 261])
        assert (first[0, :2] + first[0, 2:]).tolist() == [8, 8]

    def test_sizes_of_the_512_pixel_network(self) -> None:
        generator = SSDAnchorGenerator(
            strides=[8, 16, 32, 64, 128, 256, 512],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]],
            basesize_ratio_range=(0.1, 0.9),
            input_size=512,
        )
        squares = [(anchors[0, 2] - anchors[0, 0]).item() for anchors in generator.base_anchors]
        # 4 %, then 10 % and steps of 16 %, rounded down: int(512 * 0.04) ...
        assert squares == pytest.approx([20, 51, 133, 215, 296, 378, 460])

    def test_sizes_may_be_given(self) -> None:
        generator = SSDAnchorGenerator([8], [[2]], min_sizes=[10], max_sizes=[40])
        sides = generator.base_anchors[0][:2, 2] - generator.base_anchors[0][:2, 0]
        assert sides[0].item() == pytest.approx(10)

    def test_an_unknown_input_size_says_which_are_known(self) -> None:
        with pytest.raises(OptionError, match=r"300 with 0\.15"):
            SSDAnchorGenerator([8, 16, 32], [[2]] * 3, input_size=416)
        with pytest.raises(OptionError, match="both min_sizes and max_sizes"):
            SSDAnchorGenerator([8], [[2]], min_sizes=[10])

    def test_the_legacy_form_rounds_and_moves_the_centres(self) -> None:
        generator = LegacySSDAnchorGenerator(
            strides=[8, 16, 32, 64, 100, 300],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2], [2]],
            basesize_ratio_range=(0.15, 0.9),
        )
        # about (3.5, 3.5), half of 21 - 1: -6.5 and 13.5 round to even
        assert generator.base_anchors[0][0].tolist() == [-6, -6, 14, 14]


def test_legacy_anchors_are_whole_pixels_with_the_last_one_inside() -> None:
    generator = LegacyAnchorGenerator([16], [1.0], [2.0], center_offset=0.5)
    # centre 0.5 * 15 = 7.5, half of 32 - 1: -8 and 23
    assert generator.base_anchors[0].tolist() == [[-8, -8, 23, 23]]


class TestYolo:
    generator = YOLOAnchorGenerator(strides=[32, 16], base_sizes=[[(10, 20), (4, 4)], [(6, 8)]])

    def test_anchors_have_the_given_sizes_about_the_cells_centres(self) -> None:
        assert self.generator.base_anchors[0].tolist() == [[11, 6, 21, 26], [14, 14, 18, 18]]
        assert self.generator.base_anchors[1].tolist() == [[5, 4, 11, 12]]
        grid = self.generator.grid_priors([(1, 2), (2, 4)], device="cpu")
        assert grid[0][2].tolist() == [43, 6, 53, 26]

    def test_the_cell_of_a_centre_is_responsible(self) -> None:
        boxes = torch.tensor([[30.0, 0.0, 50.0, 20.0]])  # centre (40, 10)
        flags = self.generator.responsible_flags([(1, 2), (2, 4)], boxes, device="cpu")
        assert flags[0].tolist() == [0, 0, 1, 1]
        assert flags[1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]

    def test_sizes_for_another_number_of_levels_are_refused(self) -> None:
        with pytest.raises(OptionError, match="1 levels for 2 strides"):
            YOLOAnchorGenerator([32, 16], [[(1, 1)]])


class TestPoints:
    def test_points_lie_in_the_middle_of_their_cells(self) -> None:
        generator = MlvlPointGenerator([4, (8, 10)])
        first, second = generator.grid_priors([(2, 2), (1, 2)], device="cpu")
        assert first.tolist() == [[2, 2], [6, 2], [2, 6], [6, 6]]
        assert second.tolist() == [[4, 5], [12, 5]]
        assert generator.num_base_priors == [1, 1]

    def test_points_carry_their_stride_where_asked(self) -> None:
        generator = MlvlPointGenerator([(8, 10)], offset=0)
        points = generator.grid_priors([(1, 2)], device="cpu", with_stride=True)[0]
        assert points.tolist() == [[0, 0, 8, 10], [8, 0, 8, 10]]

    def test_sparse_points_are_rows_of_the_grid(self) -> None:
        generator = MlvlPointGenerator([8])
        grid = generator.grid_priors([(3, 5)], device="cpu")[0]
        picks = torch.tensor([14, 3, 6])
        sparse = generator.sparse_priors(picks, (3, 5), 0, device="cpu")
        torch.testing.assert_close(sparse, grid[picks])

    def test_cells_beyond_the_padded_image_are_not_valid(self) -> None:
        flags = MlvlPointGenerator([8]).valid_flags([(2, 3)], (8, 17), device="cpu")[0]
        assert flags.tolist() == [True, True, True, False, False, False]

    def test_the_single_level_generator_puts_the_stride_last(self) -> None:
        generator = PointGenerator()
        points = generator.grid_points((2, 2), stride=4, device="cpu")
        assert points.tolist() == [[0, 0, 4], [4, 0, 4], [0, 4, 4], [4, 4, 4]]
        flags = generator.valid_flags((2, 2), (2, 1), device="cpu")
        assert flags.tolist() == [True, False, True, False]


def test_sized_anchors_have_the_sizes_given_and_corners_in_whole_pixels() -> None:
    generator = SizedAnchorGenerator([8, 16], sizes=[[10], [20, 31]], ratios=[1.0, 4.0])
    # Ratio 4 of size 10: 5 wide and 20 high, halves 2.5 and 10; halves round to even numbers.
    assert generator.base_anchors[0].tolist() == [[-5, -5, 5, 5], [-2, -10, 2, 10]]
    # Ratio first, then size; 31 / 2 = 15.5 rounds to 16, 31 / 4 = 7.75 to 8.
    assert generator.base_anchors[1].tolist() == [
        [-10, -10, 10, 10],
        [-16, -16, 16, 16],
        [-5, -20, 5, 20],
        [-8, -31, 8, 31],
    ]
    exact = SizedAnchorGenerator([8], sizes=[[10]], ratios=[4.0], rounded=False)
    assert exact.base_anchors[0].tolist() == [[-2.5, -10, 2.5, 10]]
    with pytest.raises(OptionError, match="one list a level"):
        SizedAnchorGenerator([8, 16], sizes=[[10]], ratios=[1.0])
