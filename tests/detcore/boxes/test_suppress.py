"""Suppression of duplicates."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import nms

from detcore.boxes import bbox_overlaps, fast_nms, mask_matrix_nms, multiclass_nms
from detcore.errors import OptionError

NMS = {"type": "nms", "iou_threshold": 0.5}
# Two near duplicates and one apart.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 9], [20.0, 20, 30, 30]])


def scores_of(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows)


class TestMulticlass:
    def test_duplicates_of_a_class_go_and_of_another_stay(self) -> None:
        scores = scores_of((0.9, 0.2, 0.0), (0.8, 0.7, 0.0), (0.1, 0.6, 0.3))
        found, labels, pairs = multiclass_nms(BOXES, scores, 0.3, NMS, return_inds=True)
        torch.testing.assert_close(found[:, 4], torch.tensor([0.9, 0.7, 0.6]))
        assert labels.tolist() == [0, 1, 1]
        assert pairs.tolist() == [0 * 2 + 0, 1 * 2 + 1, 2 * 2 + 1]
        assert found[1, :4].tolist() == BOXES[1].tolist()

    def test_the_background_column_is_never_found(self) -> None:
        found, labels = multiclass_nms(BOXES, scores_of(*[(0.0, 0.0, 1.0)] * 3), 0.1, NMS)
        assert found.shape == (0, 5)
        assert labels.shape == (0,)
        assert labels.dtype == torch.long

    def test_a_score_at_the_threshold_is_dropped(self) -> None:
        found, _ = multiclass_nms(BOXES[:1], scores_of((0.5, 0.0)), 0.5, NMS)
        assert len(found) == 0

    def test_factors_change_the_rank_but_not_what_passes_the_threshold(self) -> None:
        scores = scores_of((0.9, 0.0), (0.8, 0.0), (0.6, 0.0))
        factors = torch.tensor([0.1, 1.0, 0.5])
        found, _ = multiclass_nms(BOXES, scores, 0.5, NMS, score_factors=factors)
        torch.testing.assert_close(found[:, 4], torch.tensor([0.8, 0.3]))

    def test_every_class_may_have_its_own_box(self) -> None:
        boxes = torch.tensor([[0.0, 0, 1, 1, 5.0, 5, 9, 9]])
        found, labels = multiclass_nms(boxes, scores_of((0.6, 0.7, 0.0)), 0.1, NMS)
        assert labels.tolist() == [1, 0]
        assert found[:, :4].tolist() == [[5, 5, 9, 9], [0, 0, 1, 1]]

    def test_no_more_than_asked_for(self) -> None:
        scores = scores_of((0.9, 0.8, 0.0), (0.0, 0.0, 0.0), (0.7, 0.6, 0.0))
        found, _, pairs = multiclass_nms(BOXES, scores, 0.1, NMS, max_num=3, return_inds=True)
        torch.testing.assert_close(found[:, 4], torch.tensor([0.9, 0.8, 0.7]))
        assert len(pairs) == 3

    def test_no_boxes_find_nothing(self) -> None:
        found, labels, pairs = multiclass_nms(
            torch.zeros(0, 4), torch.zeros(0, 3), 0.1, NMS, 10, return_inds=True
        )
        assert (found.shape, labels.shape, pairs.shape) == ((0, 5), (0,), (0,))

    def test_no_boxes_of_many_classes_find_nothing(self) -> None:
        found, _ = multiclass_nms(torch.zeros(0, 8), torch.zeros(0, 3), 0.1, NMS)
        assert found.shape == (0, 5)

    def test_it_is_nms_of_each_class(self) -> None:
        draw = torch.Generator().manual_seed(0)
        corner = torch.rand(200, 2, generator=draw) * 50
        boxes = torch.cat([corner, corner + torch.rand(200, 2, generator=draw) * 30], dim=1)
        scores = torch.rand(200, 5, generator=draw)
        found, labels, pairs = multiclass_nms(boxes, scores, 0.4, NMS, return_inds=True)
        for label in range(4):
            passing = (scores[:, label] > 0.4).nonzero().squeeze(1)
            keep = passing[nms(boxes[passing], scores[passing, label], 0.5)]
            assert (pairs[labels == label] // 4).tolist() == keep.tolist()
        assert (found[:-1, 4] >= found[1:, 4]).all()


class TestFast:
    coefficients = torch.arange(6.0).reshape(3, 2)

    def test_a_suppressed_box_still_suppresses(self) -> None:
        # A chain: the second overlaps the first, the third only the second.
        boxes = torch.tensor([[0.0, 0, 10, 10], [4.0, 0, 14, 10], [8.0, 0, 18, 10]])
        scores = scores_of((0.9, 0.0), (0.8, 0.0), (0.7, 0.0))
        # neighbours share 6 of 14: 0.43; plain NMS at 0.4 would keep the third
        found, labels, coefficients = fast_nms(boxes, scores, self.coefficients, 0.1, 0.4, 10)
        assert found[:, 4].tolist() == pytest.approx([0.9])
        assert labels.tolist() == [0]
        assert coefficients.tolist() == [[0, 1]]

    def test_top_k_a_class_then_a_maximum_in_all(self) -> None:
        scores = scores_of((0.9, 0.3, 0.0), (0.2, 0.8, 0.0), (0.7, 0.6, 0.0))
        found, labels, _ = fast_nms(BOXES, scores, self.coefficients, 0.1, 0.5, 1)
        assert labels.tolist() == [0, 1]
        found, labels, _ = fast_nms(BOXES, scores, self.coefficients, 0.1, 0.5, 5, max_num=3)
        assert found[:, 4].tolist() == pytest.approx([0.9, 0.8, 0.7])
        assert labels.tolist() == [0, 1, 0]

    def test_no_boxes_find_nothing(self) -> None:
        found, labels, coefficients = fast_nms(
            torch.zeros(0, 4), torch.zeros(0, 3), torch.zeros(0, 2), 0.1, 0.5, 5
        )
        assert (found.shape, labels.shape, coefficients.shape) == ((0, 5), (0,), (0, 2))


class TestMatrix:
    masks = torch.zeros(3, 4, 4)
    masks[0, :2] = 1  # 8 pixels
    masks[1, :3] = 1  # 12 pixels, of which 8 shared with the first
    masks[2, 3:] = 1  # 4 pixels, of its own

    @pytest.mark.parametrize(
        ("kernel", "decay"),
        [("gaussian", torch.tensor(-2 * (8 / 12) ** 2).exp().item()), ("linear", 1 - 8 / 12)],
    )
    def test_a_covered_mask_loses_score(self, kernel: str, decay: float) -> None:
        scores = torch.tensor([0.9, 0.8, 0.7])
        labels = torch.zeros(3, dtype=torch.long)
        lowered, _, _, keep = mask_matrix_nms(self.masks, labels, scores, kernel=kernel)
        expected = torch.tensor([0.9, 0.7, 0.8 * decay])
        torch.testing.assert_close(lowered, expected)
        assert keep.tolist() == [0, 2, 1]

    def test_masks_of_another_class_do_not_count(self) -> None:
        scores = torch.tensor([0.9, 0.8, 0.7])
        lowered, *_ = mask_matrix_nms(self.masks, torch.tensor([0, 1, 0]), scores)
        torch.testing.assert_close(lowered, scores)

    def test_what_falls_below_the_threshold_or_beyond_the_number_goes(self) -> None:
        scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long)
        assert mask_matrix_nms(self.masks, labels, scores, filter_thr=0.5)[3].tolist() == [0, 2]
        assert mask_matrix_nms(self.masks, labels, scores, max_num=1)[3].tolist() == [0]
        assert mask_matrix_nms(self.masks, labels, scores, nms_pre=2)[3].tolist() == [0, 1]

    def test_no_masks_stay_none_and_an_unknown_kernel_is_refused(self) -> None:
        empty = torch.zeros(0, dtype=torch.long)
        scores, _, masks, keep = mask_matrix_nms(self.masks[:0], empty, torch.zeros(0))
        assert (scores.shape, masks.shape, keep.shape) == ((0,), (0, 4, 4), (0,))
        with pytest.raises(OptionError, match="'gaussian', 'linear'"):
            mask_matrix_nms(self.masks, empty, torch.zeros(0), kernel="box")


def test_the_boxes_of_these_tests_are_the_duplicates_they_say() -> None:
    assert bbox_overlaps(BOXES, BOXES)[0].tolist() == pytest.approx([1, 0.9, 0])
