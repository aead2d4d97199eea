from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detcore.errors import OptionError
from detcore.models.necks.bfp import BFP
from detcore.models.necks.channel_mapper import ChannelMapper
from detcore.models.necks.fpn import FPN
from detcore.models.necks.hrfpn import HRFPN
from detcore.models.necks.pafpn import PAFPN

CHANNELS = (4, 6, 8)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def maps() -> list[Tensor]:
    """Odd sizes, so that enlarging by two would miss."""
    sizes = ((13, 10), (7, 5), (4, 3))
    return [torch.randn(2, c, *size) for c, size in zip(CHANNELS, sizes, strict=True)]


def sizes_of(outputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(x.shape[2:]) for x in outputs]


def test_coarse_maps_are_added_to_finer_ones_from_the_top_down(maps: list[Tensor]) -> None:
    neck = FPN(CHANNELS, 5, 3)
    lateral = [conv(x) for conv, x in zip(neck.lateral_convs, maps, strict=True)]
    middle = lateral[1] + F.interpolate(lateral[2], size=(7, 5), mode="nearest")
    fine = lateral[0] + F.interpolate(middle, size=(13, 10), mode="nearest")
    expected = [conv(x) for conv, x in zip(neck.fpn_convs, (fine, middle, lateral[2]), strict=True)]
    for output, wanted in zip(neck(maps), expected, strict=True):
        assert torch.allclose(output, wanted, atol=1e-6)


def test_levels_beyond_the_backbones_are_subsampled(maps: list[Tensor]) -> None:
    outputs = FPN(CHANNELS, 5, 5)(maps)
    assert sizes_of(outputs) == [(13, 10), (7, 5), (4, 3), (2, 2), (1, 1)]
    assert torch.equal(outputs[3], outputs[2][:, :, ::2, ::2])
    assert torch.equal(outputs[4], outputs[3][:, :, ::2, ::2])


@pytest.mark.parametrize("source", [True, "on_input", "on_lateral", "on_output"])
@pytest.mark.parametrize("relu", [True, False])
def test_extra_convolutions_start_from_the_source_that_is_named(
    source: bool | str, relu: bool, maps: list[Tensor]
) -> None:
    neck = FPN(CHANNELS, 5, 5, add_extra_convs=source, relu_before_extra_convs=relu)
    outputs = neck(maps)
    sources = {
        "on_input": maps[-1],
        "on_lateral": neck.lateral_convs[-1](maps[-1]),
        "on_output": outputs[2],
    }
    first = neck.fpn_convs[3](sources["on_input" if source is True else source])
    assert torch.allclose(outputs[3], first, atol=1e-6)
    second = neck.fpn_convs[4](first.relu() if relu else first)
    assert torch.allclose(outputs[4], second, atol=1e-6)
    assert neck.fpn_convs[3].in_channels == (8 if source in (True, "on_input") else 5)


def test_only_the_levels_between_start_and_end_are_used(maps: list[Tensor]) -> None:
    neck = FPN(CHANNELS, 5, 2, start_level=0, end_level=1)
    assert len(neck.lateral_convs) == 2
    assert sizes_of(neck(maps)) == [(13, 10), (7, 5)]
    later = FPN(CHANNELS, 5, 3, start_level=1, add_extra_convs="on_input")
    assert [conv.in_channels for conv in later.lateral_convs] == [6, 8]
    assert sizes_of(later(maps)) == [(7, 5), (4, 3), (2, 2)]


def test_naming_the_last_level_is_the_same_as_naming_none(maps: list[Tensor]) -> None:
    assert sizes_of(FPN(CHANNELS, 5, 4, end_level=2)(maps)) == sizes_of(FPN(CHANNELS, 5, 4)(maps))


def test_norms_can_be_left_out_of_the_laterals() -> None:
    neck = FPN(CHANNELS, 4, 3, norm_cfg={"type": "BN"}, no_norm_on_lateral=True)
    assert "lateral_convs.0.conv.bias" in neck.state_dict()
    assert "fpn_convs.0.bn.weight" in neck.state_dict()
    assert "lateral_convs.0.bn.weight" in FPN(CHANNELS, 4, 3, norm_cfg={"type": "BN"}).state_dict()


def test_a_scale_factor_enlarges_instead_of_the_finer_maps_size() -> None:
    maps = [torch.randn(1, 4, 8, 8), torch.randn(1, 6, 4, 4)]
    by_size, by_factor = (
        FPN((4, 6), 5, 2, upsample_cfg={"mode": "bilinear", "align_corners": False, **more})
        for more in ({}, {"scale_factor": 2})
    )
    by_factor.load_state_dict(by_size.state_dict())
    assert torch.allclose(by_size(maps)[0], by_factor(maps)[0], atol=1e-6)


def test_fpn_starts_with_xavier_weights_and_no_biases() -> None:
    neck = FPN((64,), 64, 1)
    neck.init_weights()
    weight = neck.fpn_convs[0].conv.weight
    bound = (6 / (2 * 64 * 9)) ** 0.5
    assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert torch.all(neck.fpn_convs[0].conv.bias == 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_outs": 2}, "does not fit"),
        ({"num_outs": 3, "end_level": 1}, "does not fit"),
        ({"num_outs": 3, "end_level": 3}, "end_level=3"),
        ({"num_outs": 4, "add_extra_convs": "on_top"}, "on_lateral"),
    ],
)
def test_levels_that_do_not_add_up_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        FPN(CHANNELS, 5, **options)


@pytest.mark.parametrize(
    "neck",
    [FPN(CHANNELS, 5, 3), ChannelMapper(CHANNELS, 5), HRFPN(CHANNELS, 5), BFP(4, 3)],
    ids=lambda neck: type(neck).__name__,
)
def test_a_wrong_number_of_maps_is_named(neck: nn.Module, maps: list[Tensor]) -> None:
    with pytest.raises(OptionError, match="2 maps came in"):
        neck(maps[:2])


def test_path_aggregation_adds_finer_outputs_to_coarser_ones(maps: list[Tensor]) -> None:
    neck = PAFPN(CHANNELS, 5, 4, add_extra_convs="on_output")
    fpn = FPN(CHANNELS, 5, 3)
    shared = {key: value for key, value in neck.state_dict().items() if key in fpn.state_dict()}
    fpn.load_state_dict(shared)
    fine, middle, coarse = fpn(maps)
    middle = middle + neck.downsample_convs[0](fine)
    coarse = coarse + neck.downsample_convs[1](middle)
    expected = [fine, neck.pafpn_convs[0](middle), neck.pafpn_convs[1](coarse)]
    expected.append(neck.fpn_convs[3](expected[2]))
    for output, wanted in zip(neck(maps), expected, strict=True):
        assert torch.allclose(output, wanted, atol=1e-5)


def equal_maps(channels: int = 4) -> list[Tensor]:
    return [torch.randn(1, channels, size, size) for size in (8, 4, 2)]


@pytest.mark.parametrize("refine_type", [None, "conv", "non_local"])
def test_the_balanced_mean_comes_back_to_every_level(refine_type: str | None) -> None:
    neck = BFP(4, 3, refine_level=1, refine_type=refine_type)
    fine, middle, coarse = equal_maps()
    enlarged = F.interpolate(coarse, size=(4, 4), mode="nearest")
    mean = (F.max_pool2d(fine, 2) + middle + enlarged) / 3
    if refine_type is not None:
        mean = neck.refine(mean)
    outputs = neck([fine, middle, coarse])
    assert torch.allclose(outputs[0], fine + F.interpolate(mean, size=(8, 8)), atol=1e-6)
    assert torch.allclose(outputs[1], middle + mean, atol=1e-6)
    assert torch.allclose(outputs[2], coarse + F.max_pool2d(mean, 2), atol=1e-6)


@pytest.mark.parametrize("options", [{"refine_level": 3}, {"refine_type": "attention"}])
def test_a_balanced_pyramid_refuses_unknown_settings(options: dict) -> None:
    with pytest.raises(OptionError, match="BFP"):
        BFP(4, 3, **options)


@pytest.mark.parametrize(("pooling_type", "pool"), [("AVG", F.avg_pool2d), ("MAX", F.max_pool2d)])
@pytest.mark.parametrize("with_cp", [False, True])
def test_hrfpn_pools_a_pyramid_from_the_joined_maps(
    pooling_type: str, pool: object, with_cp: bool
) -> None:
    neck = HRFPN((4, 4, 4), 5, num_outs=3, pooling_type=pooling_type, with_cp=with_cp)
    maps = [x.requires_grad_() for x in equal_maps()]
    enlarged = [
        F.interpolate(x, scale_factor=2**i, mode="bilinear", align_corners=False)
        for i, x in enumerate(maps[1:], 1)
    ]
    joined = neck.reduction_conv(torch.cat([maps[0], *enlarged], 1))
    outputs = neck(maps)
    assert torch.allclose(outputs[0], neck.fpn_convs[0](joined), atol=1e-6)
    assert torch.allclose(outputs[2], neck.fpn_convs[2](pool(joined, 4, 4)), atol=1e-6)
    outputs[2].sum().backward()
    assert maps[2].grad.abs().sum() > 0


def test_hrfpn_refuses_another_pooling() -> None:
    with pytest.raises(OptionError, match="pooling_type"):
        HRFPN(CHANNELS, 5, pooling_type="SUM")


def test_a_channel_mapper_adds_strided_levels(maps: list[Tensor]) -> None:
    neck = ChannelMapper(CHANNELS, 5, kernel_size=1, num_outs=5)
    outputs = neck(maps)
    assert sizes_of(outputs) == [(13, 10), (7, 5), (4, 3), (2, 2), (1, 1)]
    first = neck.extra_convs[0](maps[-1])
    assert torch.equal(outputs[3], first)
    assert torch.equal(outputs[4], neck.extra_convs[1](first))
    assert ChannelMapper(CHANNELS, 5).extra_convs is None
