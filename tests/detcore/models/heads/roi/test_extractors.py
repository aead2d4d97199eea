from __future__ import annotations

from typing import Any

import pytest
import torch

from cvcore.ops import roi_align
from detcore.errors import OptionError, ShapeError
from detcore.models.heads.roi.box.convfc import Shared2FCBBoxHead, Shared4Conv1FCBBoxHead
from detcore.models.heads.roi.extractors import (
    GenericRoIExtractor,
    SingleRoIExtractor,
    lay_out,
)

ALIGN = {"type": "RoIAlign", "output_size": 2, "sampling_ratio": 2}


def features(channels: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, channels, 64 // 2**i, 64 // 2**i, generator=generator) for i in range(3)]


def single(**changes: Any) -> SingleRoIExtractor:
    arguments = {"roi_layer": ALIGN, "out_channels": 3, "featmap_strides": [4, 8, 16], **changes}
    return SingleRoIExtractor(**arguments)


ROIS = torch.tensor(
    [[0.0, 10, 10, 60, 60], [1, 0, 0, 200, 200], [0, 20, 0, 220, 130], [1, 4, 4, 9, 9]]
)


def test_a_region_twice_as_large_goes_one_level_up() -> None:
    # Levels begin at 112 and 224 pixels, the root of the area.
    sides = torch.tensor([1.0, 111.9, 112, 223, 224, 900])
    rois = torch.stack([sides * 0, sides * 0, sides * 0, sides, sides], dim=1)
    assert single().map_roi_levels(rois, 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert single(finest_scale=28).map_roi_levels(rois, 3).tolist() == [0, 1, 2, 2, 2, 2]
    assert single().map_roi_levels(rois, 2).tolist() == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["RoIAlign", "RoIPool"])
def test_each_region_is_cut_out_of_its_level(kind: str) -> None:
    layer = ALIGN if kind == "RoIAlign" else {"type": kind, "output_size": 2}
    extractor = single(roi_layer=layer)
    feats = features()
    cut_out = extractor(feats, ROIS)
    for row, level in enumerate([0, 1, 1, 0]):
        alone = extractor.roi_layers[level](feats[level], ROIS[row : row + 1])
        torch.testing.assert_close(cut_out[row : row + 1], alone)


def test_a_region_can_be_looked_at_with_its_surroundings() -> None:
    extractor, feats = single(), features()
    grown = torch.tensor([[0.0, 0, 0, 40, 40]])  # 20 pixels, doubled about (20, 20)
    own = torch.tensor([[0.0, 10, 10, 30, 30]])
    torch.testing.assert_close(extractor(feats, own, roi_scale_factor=2.0), extractor(feats, grown))


@pytest.mark.parametrize("kind", ["RoIAlign", "RoIPool"])
@pytest.mark.parametrize("extractor_type", ["single", "generic"])
def test_no_regions_give_no_features_but_gradients(kind: str, extractor_type: str) -> None:
    layer = {"type": kind, "output_size": 2}
    feats = [feat.requires_grad_() for feat in features()]
    make = single if extractor_type == "single" else generic
    cut_out = make(roi_layer=layer)(feats, torch.zeros(0, 5))
    assert cut_out.shape == (0, 3, 2, 2)
    cut_out.sum().backward()
    assert all(feat.grad is not None and feat.grad.abs().sum() == 0 for feat in feats)


@pytest.mark.parametrize("kind", [Shared2FCBBoxHead, Shared4Conv1FCBBoxHead])
def test_features_lie_as_the_box_head_reads_them(kind: type) -> None:
    extractor = single()
    lay_out(extractor, kind(in_channels=3, fc_out_channels=4, roi_feat_size=2))
    cut_out = extractor(features(), torch.tensor([[0, 0.0, 0, 20, 20]]).repeat(3, 1))
    assert cut_out.is_contiguous() == (kind is Shared2FCBBoxHead)


def test_a_level_without_regions_still_has_a_gradient() -> None:
    feats = [feat.requires_grad_() for feat in features()]
    single(roi_layer={"type": "RoIPool", "output_size": 2})(feats, ROIS[:1]).sum().backward()
    assert feats[0].grad.abs().sum() > 0
    assert feats[1].grad.abs().sum() == feats[2].grad.abs().sum() == 0


def test_a_layer_that_does_not_exist_is_named() -> None:
    with pytest.raises(OptionError, match="RoIAline"):
        single(roi_layer={"type": "RoIAline", "output_size": 2})


def generic(**changes: Any) -> GenericRoIExtractor:
    arguments = {"roi_layer": ALIGN, "out_channels": 3, "featmap_strides": [4, 8, 16], **changes}
    return GenericRoIExtractor(**arguments)


def pieces() -> list[torch.Tensor]:
    return [
        roi_align(feat, ROIS, 2, 1 / stride, 2)
        for feat, stride in zip(features(), (4, 8, 16), strict=True)
    ]


def test_all_levels_are_summed() -> None:
    torch.testing.assert_close(generic()(features(), ROIS), sum(pieces()))


def test_all_levels_are_concatenated() -> None:
    extractor = generic(aggregation="concat", out_channels=9)
    torch.testing.assert_close(extractor(features(), ROIS), torch.cat(pieces(), dim=1))
    with pytest.raises(ShapeError, match="9 channels"):
        generic(aggregation="concat", out_channels=3)(features(), ROIS)


def test_layers_before_and_after_the_aggregation() -> None:
    conv = {"type": "ConvModule", "in_channels": 3, "out_channels": 3, "kernel_size": 1}
    extractor = generic(pre_cfg=conv, post_cfg=conv)
    names = {name.split(".")[0] for name in extractor.state_dict()}
    assert names == {"pre_module", "post_module"}
    with torch.no_grad():
        before = sum(extractor.pre_module(piece) for piece in pieces())
        torch.testing.assert_close(extractor(features(), ROIS), extractor.post_module(before))


def test_an_unknown_aggregation_is_refused() -> None:
    with pytest.raises(OptionError, match="mean"):
        generic(aggregation="mean")
