"""Features at points: given in a region, on the image or on a map.

Points on an image or in a region are relative, (0, 0) its upper left and (1, 1) its lower right
corner; used by PointRend (https://arxiv.org/abs/1912.08193).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.ops.roi import as_pair


def point_sample(
    input: Tensor,
    points: Tensor,
    align_corners: bool = False,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
) -> Tensor:
    """Values of maps at points.

    Args:
        input: (N, C, H, W).
        points: (N, P, 2) or (N, h, w, 2), x and y relative to the image.
        align_corners: Corners of the image are centres of corner pixels, not their outer corners.
        mode: Interpolation of ``grid_sample``.
        padding_mode: Outside of ``grid_sample``.

    Returns:
        (N, C, P) or (N, C, h, w).
    """
    grid = points if points.dim() == 4 else points.unsqueeze(2)
    sampled = F.grid_sample(
        input, grid * 2 - 1, mode=mode, padding_mode=padding_mode, align_corners=align_corners
    )
    return sampled if points.dim() == 4 else sampled.squeeze(3)


def generate_grid(
    num_grid: int, size: int | Sequence[int], device: torch.device | str | None = None
) -> Tensor:
    """(num_grid, h * w, 2): the middles of ``size`` = (h, w) cells, relative x and y."""
    height, width = as_pair(size)
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    grid = torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)
    return grid.reshape(1, -1, 2).expand(num_grid, -1, -1)


def rel_roi_point_to_abs_img_point(rois: Tensor, rel_roi_points: Tensor) -> Tensor:
    """From relative to a region to pixels of the image.

    Args:
        rois: (n, 4) x1 y1 x2 y2 in pixels, or (n, 5) with the image's place first.
        rel_roi_points: (n, P, 2).

    Returns:
        (n, P, 2) pixels.
    """
    boxes = rois[:, -4:]
    return rel_roi_points * (boxes[:, None, 2:] - boxes[:, None, :2]) + boxes[:, None, :2]


def abs_img_point_to_rel_img_point(
    abs_img_points: Tensor, img: tuple[int, int] | Tensor, spatial_scale: float = 1.0
) -> Tensor:
    """From pixels of the image to relative to it.

    Args:
        abs_img_points: (n, P, 2) x and y.
        img: (height, width), or a (N, C, H, W) map of it.
        spatial_scale: Pixels of ``img`` per pixel of the points' image.
    """
    height, width = img.shape[-2:] if isinstance(img, Tensor) else img
    return abs_img_points / abs_img_points.new_tensor([width, height]) * spatial_scale


def rel_roi_point_to_rel_img_point(
    rois: Tensor,
    rel_roi_points: Tensor,
    img: tuple[int, int] | Tensor,
    spatial_scale: float = 1.0,
) -> Tensor:
    """From relative to a region to relative to the image; arguments as of the two steps above."""
    pixels = rel_roi_point_to_abs_img_point(rois, rel_roi_points)
    return abs_img_point_to_rel_img_point(pixels, img, spatial_scale)


class SimpleRoIAlign(nn.Module):
    """One sample in the middle of each bin.

    Args:
        output_size: Bins (down, across) or one number for both.
        spatial_scale: Map pixels per image pixel.
        aligned: Pixel centres lie at half.
    """

    def __init__(
        self, output_size: int | Sequence[int], spatial_scale: float, aligned: bool = True
    ) -> None:
        super().__init__()
        self.output_size = as_pair(output_size)
        self.spatial_scale = float(spatial_scale)
        self.aligned = aligned

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions of an (N, C, H, W) map."""
        num_rois, channels = len(rois), features.shape[1]
        grid = generate_grid(num_rois, self.output_size, rois.device)
        points = rel_roi_point_to_rel_img_point(rois, grid, features, self.spatial_scale)
        sampled = features.new_zeros(num_rois, channels, grid.shape[1])
        for image in range(len(features)):
            rows = (rois[:, 0].long() == image).nonzero().flatten()
            on_image = point_sample(
                features[image : image + 1],
                points[rows].to(features.dtype).unsqueeze(0),
                align_corners=not self.aligned,
            )
            sampled = sampled.index_copy(0, rows, on_image[0].transpose(0, 1))
        return sampled.view(num_rois, channels, *self.output_size)

    def extra_repr(self) -> str:
        """The options, for printing the model."""
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"aligned={self.aligned}"
        )
