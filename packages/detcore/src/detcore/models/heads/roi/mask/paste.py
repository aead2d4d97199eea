"""Masks of regions laid back into the image, each in the window of its box only."""

from __future__ import annotations

import torch
from torch import Tensor

# Pixels worked on at once where whole images are pasted: 64 M floats are 256 MB.
_PIXELS_AT_ONCE = 2**26


def paste_masks(
    masks: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float = 0.5
) -> Tensor:
    """Resample square masks to their boxes, bilinearly, zero outside.

    Args:
        masks: (R, m, m) float32 probabilities.
        boxes: (R, 4) float32 xyxy in pixels of the result.
        size: height and width of the result.
        threshold: probabilities from here on are mask; negative gives probabilities instead.

    Returns:
        (R, height, width) bool, or uint8 in 0 .. 255 where ``threshold`` is negative.
    """
    height, width = size
    kind = torch.bool if threshold >= 0 else torch.uint8
    pasted = torch.zeros(len(masks), height, width, dtype=kind, device=masks.device)
    if masks.device.type == "cpu":
        # A box is a small part of the image: its window alone is a tenth of the work.
        for i, window in enumerate(_windows(boxes, size).tolist()):
            left, top, right, bottom = window
            part = _resample(masks[i : i + 1], boxes[i : i + 1], (left, top, right, bottom))
            pasted[i, top:bottom, left:right] = _cut(part[0], threshold)
        return pasted
    chunk = max(1, _PIXELS_AT_ONCE // max(1, height * width))
    for start in range(0, len(masks), chunk):
        rows = slice(start, start + chunk)
        whole = _resample(masks[rows], boxes[rows], (0, 0, width, height))
        pasted[rows] = _cut(whole, threshold)
    return pasted


def _resample(masks: Tensor, boxes: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """(R, height, width) probabilities at the pixels of a window x1 y1 x2 y2."""
    left, top, right, bottom = window
    rows = _taps(boxes[:, 1], boxes[:, 3], (top, bottom), masks.shape[1])
    columns = _taps(boxes[:, 0], boxes[:, 2], (left, right), masks.shape[2])
    return rows @ masks @ columns.transpose(1, 2)


def _cut(probabilities: Tensor, threshold: float) -> Tensor:
    if threshold >= 0:
        return probabilities >= threshold
    return (probabilities * 255).to(torch.uint8)


def _windows(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(R, 4) int64: the pixels that a box can reach, a border of one included."""
    height, width = size
    limits = boxes.new_tensor([width, height])
    start = torch.minimum((boxes[:, :2].floor() - 1).clamp(min=0), limits)
    stop = torch.minimum((boxes[:, 2:].ceil() + 1).clamp(min=0), limits)
    return torch.cat([start, torch.maximum(start, stop)], dim=1).long()


def _taps(start: Tensor, stop: Tensor, span: tuple[int, int], resolution: int) -> Tensor:
    """How much each mask cell counts for each pixel of a span along one axis.

    A cell's weight falls from 1 at its centre to 0 at its neighbours' centres, so that rows times
    mask times columns is bilinear interpolation.

    Returns:
        (R, length of the span, resolution) float32.
    """
    pixels = torch.arange(*span, device=start.device, dtype=start.dtype) + 0.5
    extent = (stop - start)[:, None]
    # In units of cells, measured from the centre of the first.
    position = (pixels - start[:, None]) / extent * resolution - 0.5
    # A box without extent, as clipping leaves it at the image's border, shows the mask's middle in
    # the pixels beside it.
    beside = (pixels >= start[:, None].floor() - 1) & (pixels < stop[:, None].ceil() + 1)
    middle = torch.where(beside, (resolution - 1) / 2, float("inf"))
    position = torch.where(extent > 0, position, middle)
    cells = torch.arange(resolution, device=start.device, dtype=start.dtype)
    return (1 - (position[:, :, None] - cells).abs()).clamp(min=0)
