from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from detcore.models.heads.roi.mask.paste import paste_masks


def resampled(masks: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear sampling at every pixel's centre, with zeros around the mask."""
    height, width = size
    ys = (torch.arange(height) + 0.5 - boxes[:, 1:2]) / (boxes[:, 3:4] - boxes[:, 1:2]) * 2 - 1
    xs = (torch.arange(width) + 0.5 - boxes[:, 0:1]) / (boxes[:, 2:3] - boxes[:, 0:1]) * 2 - 1
    grid = torch.stack(
        [xs[:, None, :].expand(-1, height, -1), ys[:, :, None].expand(-1, -1, width)], dim=3
    )
    return F.grid_sample(masks[:, None], grid, align_corners=False)[:, 0]


def test_pasting_is_bilinear_sampling_at_the_pixels_centres() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(6, 28, 28, generator=generator)
    corners = torch.rand(6, 2, generator=generator) * 40 - 5
    boxes = torch.cat([corners, corners + torch.rand(6, 2, generator=generator) * 40 + 1], dim=1)
    expected = resampled(masks, boxes, (48, 40))
    pasted = paste_masks(masks, boxes, (48, 40), threshold=-1)
    assert pasted.dtype == torch.uint8
    # The values are cut off to whole numbers: one may fall on either side.
    assert (pasted.float() - (expected * 255).floor()).abs().max() <= 1
    assert torch.equal(paste_masks(masks, boxes, (48, 40)), expected >= 0.5)


def test_a_full_mask_fills_its_box() -> None:
    masks = torch.ones(1, 4, 4)
    pasted = paste_masks(masks, torch.tensor([[2.0, 1, 6, 4]]), (6, 8))
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[1:4, 2:6] = True
    assert torch.equal(pasted[0], expected)


def test_a_probability_at_the_threshold_is_mask() -> None:
    masks = torch.full((1, 2, 2), 0.25)
    box = torch.tensor([[0.0, 0, 2, 2]])
    assert paste_masks(masks, box, (2, 2), threshold=0.25).sum() == 4
    assert paste_masks(masks, box, (2, 2), threshold=0.26).sum() == 0


def test_a_box_without_extent_shows_the_middle_of_its_mask_in_the_pixels_beside_it() -> None:
    boxes = torch.tensor([[3.0, 2, 3, 7], [4, 4, 4, 4], [0, 10, 12, 10]])
    pasted = paste_masks(torch.ones(3, 4, 4), boxes, (10, 12))
    # Columns 2 and 3 of rows 2 to 6; a square of two; the last row, at the image's lower border.
    assert pasted.flatten(1).sum(dim=1).tolist() == [10, 4, 12]
    assert pasted[0, 2:7, 2:4].all()
    assert pasted[2, 9].all()


@pytest.mark.parametrize("box", [[-30.0, -30, -10, -10], [50, 50, 60, 60]])
def test_a_box_without_pixels_gives_an_empty_mask(box: list[float]) -> None:
    assert paste_masks(torch.ones(1, 4, 4), torch.tensor([box]), (10, 12)).sum() == 0


def test_no_boxes_give_no_masks() -> None:
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (10, 12)).shape == (0, 10, 12)
