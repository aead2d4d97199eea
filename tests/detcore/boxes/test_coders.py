"""Every coder: numbers by hand, and decoding undoes encoding."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from detcore.boxes import (
    BucketingBBoxCoder,
    DeltaXYWHBBoxCoder,
    DistancePointBBoxCoder,
    LegacyDeltaXYWHBBoxCoder,
    PseudoBBoxCoder,
    TBLRBBoxCoder,
    YOLOBBoxCoder,
)
from detcore.errors import ShapeError
from detcore.registries import BBOX_CODERS

PRIOR = torch.tensor([[0.0, 0.0, 10.0, 20.0]])
BOX = torch.tensor([[3.0, 4.0, 8.0, 44.0]])  # centre (5.5, 24), 5 x 40


def random_boxes(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw) * 60
    return torch.cat([corner, corner + 4 + torch.rand(count, 2, generator=draw) * 40], dim=1)


def test_deltas_are_shifts_over_the_size_and_logarithms_of_growth() -> None:
    deltas = DeltaXYWHBBoxCoder().encode(PRIOR, BOX)
    expected = [0.5 / 10, 14 / 20, math.log(0.5), math.log(2)]
    torch.testing.assert_close(deltas, torch.tensor([expected]))


def test_deltas_are_normalised() -> None:
    coder = DeltaXYWHBBoxCoder(target_means=[0.1, 0, 0, 0], target_stds=[0.5, 2, 1, 1])
    deltas = coder.encode(PRIOR, BOX)
    torch.testing.assert_close(deltas[0, :2], torch.tensor([(0.05 - 0.1) / 0.5, 0.7 / 2]))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(0, 10**6))
@pytest.mark.parametrize(
    "settings_of",
    [
        {"type": "DeltaXYWHBBoxCoder", "target_stds": [0.1, 0.1, 0.2, 0.2]},
        {"type": "TBLRBBoxCoder", "normalizer": [4.0, 4.0, 2.0, 2.0]},
        {"type": "PseudoBBoxCoder"},
    ],
    ids=lambda settings_of: settings_of["type"],
)
def test_decoding_undoes_encoding(settings_of: dict, count: int, seed: int) -> None:
    coder = BBOX_CODERS.build(settings_of)
    priors, boxes = random_boxes(count, seed), random_boxes(count, seed + 1)
    decoded = coder.decode(priors, coder.encode(priors, boxes))
    torch.testing.assert_close(decoded, boxes, atol=1e-3, rtol=1e-4)


def test_every_class_has_a_box_of_its_own() -> None:
    coder = DeltaXYWHBBoxCoder()
    deltas = torch.tensor([[0.0, 0, 0, 0, 1.0, 0, 0, 0]])
    assert coder.decode(PRIOR, deltas)[0].tolist() == [0, 0, 10, 20, 10, 0, 20, 20]


def test_growth_is_bounded_both_ways() -> None:
    grown = DeltaXYWHBBoxCoder().decode(PRIOR, torch.tensor([[0.0, 0, 9, -9]]), wh_ratio_clip=0.5)
    # width 10 * 2, height 20 / 2 about the centre (5, 10)
    torch.testing.assert_close(grown, torch.tensor([[-5.0, 5, 15, 15]]))


def test_a_clamped_centre_moves_so_many_pixels_and_no_further() -> None:
    coder = DeltaXYWHBBoxCoder(add_ctr_clamp=True, ctr_clamp=3)
    decoded = coder.decode(PRIOR, torch.tensor([[1.0, 0, 0, -20]]), wh_ratio_clip=0.5)
    # 10 pixels to the right become 3; shrinking is not bounded: 20 * exp(-20) is next to nothing
    torch.testing.assert_close(decoded, torch.tensor([[3.0, 10, 13, 10]]), atol=1e-5, rtol=0)


def test_decoded_boxes_are_clipped_to_the_image_unless_told_otherwise() -> None:
    deltas = torch.tensor([[-1.0, 0, 0, 0]])
    assert DeltaXYWHBBoxCoder().decode(PRIOR, deltas, max_shape=(15, 8))[0].tolist() == [
        0,
        0,
        0,
        15,
    ]
    free = DeltaXYWHBBoxCoder(clip_border=False).decode(PRIOR, deltas, max_shape=(15, 8))
    assert free[0].tolist() == [-10, 0, 0, 20]


def test_a_batch_decodes_as_its_images_do_each_with_its_own_shape() -> None:
    coder = DeltaXYWHBBoxCoder()
    priors = random_boxes(6, 1).reshape(2, 3, 4)
    deltas = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)) * 0.3
    shapes = [(40, 50), (30, 20)]
    decoded = coder.decode(priors, deltas, max_shape=shapes)
    for image in range(2):
        single = coder.decode(priors[image], deltas[image], max_shape=shapes[image])
        torch.testing.assert_close(decoded[image], single)


def test_no_boxes_decode_to_none() -> None:
    assert DeltaXYWHBBoxCoder().decode(PRIOR[:0], torch.zeros(0, 8)).shape == (0, 8)


def test_the_legacy_coder_counts_the_last_pixel() -> None:
    coder = LegacyDeltaXYWHBBoxCoder()
    # from 11 x 21 to 6 x 41 pixels, centre (5, 10) to (5.5, 24)
    expected = [0.5 / 11, 14 / 21, math.log(6 / 11), math.log(41 / 21)]
    torch.testing.assert_close(coder.encode(PRIOR, BOX), torch.tensor([expected]))
    shifted = coder.decode(PRIOR, torch.tensor([[1.0, 0, 0, 0]]), max_shape=(15, 18))
    # centre (16, 10), still 11 x 21, and cut at the last pixels, 17 and 14
    torch.testing.assert_close(shifted, torch.tensor([[10.5, 0, 17, 14]]))


def test_the_legacy_coder_decodes_half_a_pixel_beyond_what_it_encoded() -> None:
    coder = LegacyDeltaXYWHBBoxCoder(target_means=[0.1, 0.2, 0.3, 0.4])
    decoded = coder.decode(PRIOR, coder.encode(PRIOR, BOX))
    torch.testing.assert_close(decoded, BOX + torch.tensor([-0.5, -0.5, 0.5, 0.5]))


def test_distances_are_to_the_four_sides() -> None:
    coder = DistancePointBBoxCoder()
    point = torch.tensor([[5.0, 10.0]])
    assert coder.encode(point, BOX)[0].tolist() == [2, 6, 3, 34]
    torch.testing.assert_close(
        coder.encode(point, BOX, max_dis=20, eps=0.5), torch.tensor([[2.0, 6, 3, 19.5]])
    )
    assert coder.decode(point, torch.tensor([[2.0, 6, 3, 34]])).tolist() == BOX.tolist()
    assert coder.decode(point, torch.full((1, 4), 20.0), max_shape=(15, 18))[0].tolist() == [
        *(0, 0, 18, 15)
    ]
    free = DistancePointBBoxCoder(clip_border=False)
    assert free.decode(point, torch.full((1, 4), 20.0), max_shape=(15, 18))[0, 0] == -15


def test_a_distance_beyond_a_point_outside_the_box_counts_as_nothing() -> None:
    outside = DistancePointBBoxCoder().encode(torch.tensor([[0.0, 10.0]]), BOX, max_dis=50)
    assert outside[0, 0] == 0


def test_top_bottom_left_right_are_over_the_prior_and_the_normalizer() -> None:
    # centre (5, 10): top 6, bottom 34 over 20; left 2, right 3 over 10; all over 4
    expected = torch.tensor([[6 / 20, 34 / 20, 2 / 10, 3 / 10]]) / 4
    torch.testing.assert_close(TBLRBBoxCoder().encode(PRIOR, BOX), expected)
    clipped = TBLRBBoxCoder().decode(PRIOR, torch.ones(1, 4), max_shape=(12, 9))
    assert clipped[0].tolist() == [0, 0, 9, 12]


def test_yolo_places_the_centre_within_the_cell() -> None:
    coder = YOLOBBoxCoder()
    anchor = torch.tensor([[3.0, 3.0, 5.0, 5.0]])  # about (4, 4), the middle of a cell of 8
    box = torch.tensor([[2.0, 3.0, 10.0, 7.0]])  # about (6, 5), 8 x 4
    encoded = coder.encode(anchor, box, 8)
    expected = [2 / 8 + 0.5, 1 / 8 + 0.5, math.log(4), math.log(2)]
    torch.testing.assert_close(encoded, torch.tensor([expected]))
    torch.testing.assert_close(coder.decode(anchor, encoded, 8), box)
    for stride in (torch.tensor([8.0]), torch.tensor([[8.0]])):
        torch.testing.assert_close(coder.decode(anchor, encoded, stride), box)


def test_yolo_takes_a_stride_for_every_anchor() -> None:
    coder = YOLOBBoxCoder()
    anchors, boxes = random_boxes(2, 0), random_boxes(2, 1)
    strides = torch.tensor([200.0, 400.0])
    both = coder.encode(anchors, boxes, strides)
    for row, stride in enumerate((200.0, 400.0)):
        one = coder.encode(anchors[row : row + 1], boxes[row : row + 1], stride)
        torch.testing.assert_close(both[row], one[0])


def test_the_pseudo_coder_changes_nothing() -> None:
    coder = PseudoBBoxCoder()
    assert coder.encode(PRIOR, BOX) is BOX
    assert coder.decode(PRIOR, BOX) is BOX


def test_sets_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ShapeError, match="do not pair"):
        DeltaXYWHBBoxCoder().encode(PRIOR, torch.zeros(2, 4))
    with pytest.raises(ShapeError, match="do not pair"):
        DistancePointBBoxCoder().encode(PRIOR, BOX)


class TestBuckets:
    """A prior of 14 x 14 with 7 buckets of 2 pixels; each side chooses among 4."""

    prior = torch.tensor([[0.0, 0.0, 14.0, 14.0]])
    coder = BucketingBBoxCoder(num_buckets=7, scale_factor=1.0)

    def test_the_nearest_bucket_is_the_label_and_the_two_nearest_learn_offsets(self) -> None:
        # Left bucket centres at 1 3 5 7. A left side at 3.5 is nearest to 3, then to 5.
        box = torch.tensor([[3.5, 1.0, 13.0, 13.0]])
        offsets, weights, labels, label_weights = self.coder.encode(self.prior, box)
        torch.testing.assert_close(offsets[0, :4], torch.tensor([-1.25, -0.25, 0.75, 1.75]))
        assert weights[0, :4].tolist() == [0, 1, 1, 0]
        assert labels[0, :4].tolist() == [0, 1, 0, 0]
        # Bucket 5 is less than one bucket away: it is neither right nor wrong.
        assert label_weights[0, :4].tolist() == [1, 1, 0, 1]

    def test_a_second_bucket_too_far_away_does_not_learn(self) -> None:
        # The right side at 13 is the centre of its first bucket; the next is one bucket away.
        box = torch.tensor([[3.5, 1.0, 13.0, 13.0]])
        _, weights, labels, _ = self.coder.encode(self.prior, box)
        assert weights[0, 4:8].tolist() == [1, 0, 0, 0]
        assert labels[0, 4:8].tolist() == [1, 0, 0, 0]

    def test_neighbours_count_where_asked(self) -> None:
        coder = BucketingBBoxCoder(7, 1.0, cls_ignore_neighbor=False)
        box = torch.tensor([[3.5, 1.0, 13.0, 13.0]])
        assert coder.encode(self.prior, box)[3].min() == 1

    def test_decoding_undoes_encoding(self) -> None:
        boxes = torch.tensor([[3.5, 1.25, 12.0, 11.5], [0.5, 4.0, 9.0, 13.5]])
        priors = self.prior.expand(2, 4)
        coder = BucketingBBoxCoder(7, 1.5)
        offsets, _, labels, _ = coder.encode(priors, boxes)
        decoded, confidence = coder.decode(priors, (labels * 50, offsets))
        torch.testing.assert_close(decoded, boxes)
        torch.testing.assert_close(confidence, torch.ones(2))

    def test_confidence_adds_a_second_bucket_only_next_to_the_best(self) -> None:
        even, apart = [0.0, 0.0, -99.0, -99.0], [0.0, -99.0, 0.0, -99.0]
        logits = torch.tensor([even + apart + apart + apart])
        boxes, confidence = self.coder.decode(self.prior, (logits, torch.zeros(1, 16)))
        # half and half: neighbours sum to 1, the others stay at one half
        assert confidence.item() == pytest.approx((1 + 0.5 * 3) / 4)
        assert boxes.shape == (1, 4)

    def test_boxes_are_clipped_to_the_last_pixel(self) -> None:
        offsets = torch.full((1, 16), -20.0)
        decoded, _ = self.coder.decode(self.prior, (torch.zeros(1, 16), offsets), (30, 40))
        assert decoded.max() <= 39
        assert decoded[0, 1::2].max() <= 29
