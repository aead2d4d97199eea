"""Results of several views of one image."""

from __future__ import annotations

import numpy as np
import torch

from detcore.boxes import (
    merge_aug_bboxes,
    merge_aug_masks,
    merge_aug_proposals,
    merge_aug_scores,
)

PLAIN = {"img_shape": (20, 10, 3), "scale_factor": np.ones(4), "flip": False}
MIRRORED = {
    "img_shape": (40, 20, 3),
    "scale_factor": np.full(4, 2.0),
    "flip": True,
    "flip_direction": "horizontal",
}


def test_proposals_return_to_the_image_and_lose_their_duplicates() -> None:
    first = torch.tensor([[0.0, 0, 4, 4, 0.6], [5.0, 5, 9, 9, 0.7]])
    # The first of them again, twice as large and mirrored in a width of 20.
    second = torch.tensor([[12.0, 0, 20, 8, 0.9]])
    settings = {"nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 5}
    merged = merge_aug_proposals([first, second], [PLAIN, MIRRORED], settings)
    expected = torch.tensor([[0.0, 0, 4, 4, 0.9], [5.0, 5, 9, 9, 0.7]])
    torch.testing.assert_close(merged, expected)
    assert (
        len(merge_aug_proposals([first, second], [PLAIN, MIRRORED], {**settings, "max_per_img": 1}))
        == 1
    )


def test_boxes_are_averaged_in_the_original_image() -> None:
    first = torch.tensor([[0.0, 0, 4, 4]])
    second = torch.tensor([[12.0, 4, 20, 12]])  # back: 0 2 4 6
    boxes = merge_aug_bboxes([first, second], None, [[PLAIN], [MIRRORED]])
    torch.testing.assert_close(boxes, torch.tensor([[0.0, 1, 4, 5]]))
    scores = [torch.tensor([[0.2, 0.8]]), torch.tensor([[0.4, 0.6]])]
    _, merged = merge_aug_bboxes([first, second], scores, [[PLAIN], [MIRRORED]])
    torch.testing.assert_close(merged, torch.tensor([[0.3, 0.7]]))


def test_scores_are_averaged_whatever_they_are_kept_in() -> None:
    assert merge_aug_scores([torch.ones(2), torch.zeros(2)]).tolist() == [0.5, 0.5]
    assert merge_aug_scores([np.ones(2), np.zeros(2)]).tolist() == [0.5, 0.5]


def test_masks_are_flipped_back_and_averaged_with_their_weights() -> None:
    mask = np.zeros((1, 1, 2, 2))
    mask[..., 0, 0] = 1
    flipped = mask[..., ::-1]
    metas = [[PLAIN], [MIRRORED]]
    assert (merge_aug_masks([mask, flipped], metas) == mask).all()
    diagonal = {**MIRRORED, "flip_direction": "diagonal"}
    assert (merge_aug_masks([mask, mask[..., ::-1, ::-1]], [[PLAIN], [diagonal]]) == mask).all()
    weighted = merge_aug_masks([mask, np.zeros_like(mask)], [[PLAIN], [PLAIN]], weights=[3, 1])
    assert weighted[0, 0, 0, 0] == 0.75
