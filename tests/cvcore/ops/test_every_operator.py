"""What holds for every operator: its gradient, no input, and inputs scattered in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from cvcore import ops
from cvcore.cnn import MultiScaleDeformableAttention, SAConv2d

Function = Callable[..., Tensor]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def distinct(*shape: int) -> Tensor:
    """Numbers far enough apart that a small step changes no maximum."""
    order = torch.randperm(torch.Size(shape).numel(), generator=torch.Generator().manual_seed(0))
    return order.view(shape).double() / 10


def inside(*shape: int) -> Tensor:
    """Relative places away from the lines where bilinear sampling has a kink."""
    steps = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(0))
    return 0.17 + 0.2 * steps.double()


ROIS = torch.tensor([[1, 1.3, 2.1, 8.2, 7.7], [0, 0.4, 0.6, 5.9, 9.1], [1, 3.1, 3.2, 4.3, 9.6]])
TARGET = torch.tensor([0, 3, 2, 1])
SHAPES = torch.tensor([[3, 4], [2, 2]])


@dataclass(frozen=True)
class Case:
    """An operator, inputs to differentiate by, and the sizes of its inputs when there are none."""

    function: Function
    inputs: tuple[Tensor, ...]
    none: tuple[tuple[int, ...], ...]
    rest: tuple[Tensor, ...] = ()  # inputs without a gradient
    rest_of_none: tuple[Tensor, ...] = ()


def module(layer: nn.Module) -> Function:
    """A layer with weights that are small, fixed and none of them zero."""
    random = torch.Generator().manual_seed(3)
    for parameter in layer.double().parameters():
        parameter.data = torch.randn(parameter.shape, generator=random, dtype=torch.double) / 5
    return layer.eval()


def flat_rois(function: Function) -> Function:
    return lambda maps, rois: function(maps, rois.double())


MAP, OFFSETS = noise(2, 4, 10, 9), 0.3 + 0.1 * noise(2, 2 * 2 * 9, 5, 5, seed=1).tanh()
CASES = {
    "roi_align": Case(
        flat_rois(lambda x, rois: ops.roi_align(x, rois, 2, 0.9, 2)),
        (MAP,),
        ((2, 4, 10, 9),),
        (ROIS,),
        (ROIS[:0],),
    ),
    "roi_align of maxima": Case(
        flat_rois(lambda x, rois: ops.roi_align(x, rois, 2, 0.9, 2, "max")),
        (distinct(2, 2, 10, 9),),
        ((2, 2, 10, 9),),
        (ROIS,),
        (ROIS[:0],),
    ),
    "roi_pool": Case(
        flat_rois(lambda x, rois: ops.roi_pool(x, rois, 2, 0.9)),
        (distinct(2, 2, 10, 9),),
        ((2, 2, 10, 9),),
        (ROIS,),
        (ROIS[:0],),
    ),
    "SimpleRoIAlign": Case(
        flat_rois(ops.SimpleRoIAlign(2, 0.9)), (MAP,), ((2, 4, 10, 9),), (ROIS,), (ROIS[:0],)
    ),
    "deform_roi_pool": Case(
        lambda x, offset, rois: ops.deform_roi_pool(x, rois.double(), offset, 2, 0.9, 2),
        (noise(2, 2, 10, 9), 0.13 + 0.01 * noise(3, 2, 2, 2)),
        ((2, 2, 10, 9), (0, 2, 2, 2)),
        (ROIS,),
        (ROIS[:0],),
    ),
    "ModulatedDeformRoIPoolPack": Case(
        flat_rois(module(ops.ModulatedDeformRoIPoolPack(2, 2, 5, 0.9, 2))),
        (noise(2, 2, 10, 9),),
        ((2, 2, 10, 9),),
        (ROIS,),
        (ROIS[:0],),
    ),
    "deform_conv2d": Case(
        lambda x, offset, weight: ops.deform_conv2d(x, offset, weight, 2, 1),
        (MAP[..., :9, :], OFFSETS, noise(2, 4, 3, 3)),
        ((0, 4, 9, 9), (0, 36, 5, 5), (2, 4, 3, 3)),
    ),
    "modulated_deform_conv2d": Case(
        lambda x, offset, mask, weight, bias: ops.modulated_deform_conv2d(
            x, offset, mask, weight, bias, 2, 1
        ),
        (MAP[..., :9, :], OFFSETS, noise(2, 18, 5, 5), noise(2, 2, 3, 3), noise(2)),
        ((0, 4, 9, 9), (0, 36, 5, 5), (0, 18, 5, 5), (2, 2, 3, 3), (2,)),
    ),
    "DeformConv2dPack": Case(
        module(ops.DeformConv2dPack(4, 2, 3, padding=1)), (noise(1, 4, 4, 3),), ((0, 4, 4, 3),)
    ),
    "ModulatedDeformConv2dPack": Case(
        module(ops.ModulatedDeformConv2dPack(4, 2, 3, padding=1, deform_groups=2)),
        (noise(1, 4, 4, 3),),
        ((0, 4, 4, 3),),
    ),
    "SAConv2d": Case(module(SAConv2d(2, 3, 3, padding=1)), (noise(1, 2, 5, 4),), ((0, 2, 5, 4),)),
    "masked_conv2d": Case(
        lambda x, weight, bias, mask: ops.masked_conv2d(x, mask, weight, bias, 1),
        (noise(1, 2, 4, 5), noise(3, 2, 3, 3), noise(3)),
        ((1, 2, 4, 5), (3, 2, 3, 3), (3,)),
        ((noise(1, 4, 5, seed=2) > 0).double(),),
        (torch.zeros(1, 4, 5),),
    ),
    **{
        f"corner_pool to the {mode}": Case(
            lambda x, mode=mode: ops.corner_pool(x, mode), (distinct(1, 2, 3, 4),), ((0, 2, 3, 4),)
        )
        for mode in ("left", "right", "top", "bottom")
    },
    "carafe": Case(
        lambda x, masks: ops.carafe(x, masks, 3, 2, 2),
        (noise(1, 4, 2, 3), noise(1, 18, 4, 6)),
        ((0, 4, 2, 3), (0, 18, 4, 6)),
    ),
    "CARAFEPack": Case(
        module(ops.CARAFEPack(4, 2, 3, 2, compressed_channels=3)),
        (noise(1, 4, 3, 2),),
        ((0, 4, 3, 2),),
    ),
    "multi_scale_deformable_attn": Case(
        lambda value, places, weights: ops.multi_scale_deformable_attn(
            value, SHAPES, places, weights
        ),
        (noise(2, 16, 2, 3), inside(2, 3, 2, 2, 2, 2), noise(2, 3, 2, 2, 2)),
        ((0, 16, 2, 3), (0, 3, 2, 2, 2, 2), (0, 3, 2, 2, 2)),
    ),
    "MultiScaleDeformableAttention": Case(
        lambda query, value, places: ATTENTION(
            query, value=value, reference_points=places, spatial_shapes=SHAPES
        ),
        (noise(3, 2, 4) / 5, noise(16, 2, 4), inside(2, 3, 2, 2)),
        ((3, 0, 4), (16, 0, 4), (0, 3, 2, 2)),
    ),
    "point_sample": Case(
        ops.point_sample,
        (noise(2, 3, 5, 4), inside(2, 6, 2)),
        ((2, 3, 5, 4), (2, 0, 2)),
    ),
    "sigmoid_focal_loss": Case(
        lambda x, weight, target: ops.sigmoid_focal_loss(x, target.long(), weight=weight),
        (noise(4, 3), noise(3).abs()),
        ((0, 3), (3,)),
        (TARGET,),
        (TARGET[:0],),
    ),
    "softmax_focal_loss": Case(
        lambda x, weight, target: ops.softmax_focal_loss(x, target.long(), weight=weight),
        (noise(4, 4), noise(4).abs()),
        ((0, 4), (4,)),
        (TARGET - 1,),
        (TARGET[:0],),
    ),
    "bbox_overlaps": Case(
        ops.bbox_overlaps,
        (ROIS[:, 1:].double(), ROIS[:2, 1:].double() + 0.37),
        ((0, 4), (2, 4)),
    ),
    "nms": Case(
        lambda boxes, scores: ops.nms(boxes, scores, 0.3)[0],
        (ROIS[:, 1:].double(), torch.tensor([0.3, 0.9, 0.6]).double()),
        ((0, 4), (0,)),
    ),
    "batched_nms": Case(
        lambda boxes, scores, labels: ops.batched_nms(
            boxes, scores, labels.long(), {"iou_threshold": 0.3}
        )[0],
        (ROIS[:, 1:].double(), torch.tensor([0.3, 0.9, 0.6]).double()),
        ((0, 4), (0,)),
        (ROIS[:, 0],),
        (ROIS[:0, 0],),
    ),
    "soft_nms": Case(
        lambda boxes, scores: ops.soft_nms(boxes, scores, 0.1)[0],
        (ROIS[:, 1:].double(), torch.tensor([0.3, 0.9, 0.6]).double()),
        ((0, 4), (0,)),
    ),
    "SyncBatchNorm of one process": Case(
        ops.SyncBatchNorm(3, affine=False).double(),
        (noise(2, 3, 2, 2),),
        ((0, 3, 2, 2),),
    ),
}
ATTENTION = module(MultiScaleDeformableAttention(4, 2, 2, 2, batch_first=False))
# Which boxes are kept, and soft scores, are steps and constants to the gradient.
DIFFERENTIABLE = [name for name in CASES if name not in ("batched_nms", "soft_nms")]


def with_gradients(inputs: tuple[Tensor, ...]) -> list[Tensor]:
    return [tensor.clone().requires_grad_() for tensor in inputs]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_is_the_slope(name: str) -> None:
    case = CASES[name]
    function = lambda *inputs: case.function(*inputs, *case.rest)  # noqa: E731
    assert torch.autograd.gradcheck(function, with_gradients(case.inputs), fast_mode=True)


@pytest.mark.parametrize("name", CASES)
def test_where_the_numbers_lie_in_memory_makes_no_difference(name: str) -> None:
    case = CASES[name]
    plain = case.function(*case.inputs, *case.rest)
    apart = [scattered(tensor) for tensor in (*case.inputs, *case.rest)]
    assert not any(tensor.is_contiguous() for tensor in apart)
    torch.testing.assert_close(case.function(*apart), plain)


def scattered(tensor: Tensor) -> Tensor:
    """The same numbers, each followed by one that nobody may read."""
    room = tensor.new_full((*tensor.shape, 2), 7)
    room[..., 0] = tensor
    return room[..., 0]


@pytest.mark.parametrize("name", CASES)
def test_no_input_gives_no_output_or_zeros_that_a_gradient_flows_through(name: str) -> None:
    case = CASES[name]
    inputs = with_gradients(tuple(noise(*shape) for shape in case.none))
    out = case.function(*inputs, *case.rest_of_none)
    like = case.function(*case.inputs, *case.rest)
    assert out.dim() == like.dim()
    assert out.isfinite().all()
    out.sum().backward()
    assert inputs[0].grad is not None
    assert inputs[0].grad.isfinite().all()


def test_groups_of_boxes_do_not_depend_on_memory_either() -> None:
    dets = torch.cat((ROIS[:, 1:], torch.tensor([[0.3], [0.9], [0.6]])), dim=1)
    groups = ops.nms_match(scattered(dets), 0.1)
    assert [group.tolist() for group in groups] == [
        group.tolist() for group in ops.nms_match(dets, 0.1)
    ]
    assert ops.nms_match(dets[:0], 0.1) == []
