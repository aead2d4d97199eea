from __future__ import annotations

import pytest
import torch
from torch import nn

from cvcore.errors import ArgumentError
from detcore.errors import OptionError
from detcore.models.layers.inverted_residual import InvertedResidual, make_divisible
from detcore.models.layers.norm_eval import freeze, keep_batch_statistics
from detcore.models.layers.res_blocks import BasicBlock, Bottleneck
from detcore.models.layers.res_layer import ResLayer, SimplifiedBasicBlock
from detcore.models.layers.se import SELayer
from detcore.models.layers.shared_res_layer import SharedResLayer
from detcore.models.layers.tokens import nchw_to_nlc, nlc_to_nchw
from detcore.registries import BACKBONES, SHARED_HEADS


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_the_first_block_of_a_stage_changes_resolution_and_channels() -> None:
    stage = ResLayer(Bottleneck, 8, 4, 3, stride=2)
    assert stage[0].downsample[0].stride == (2, 2)
    assert [block.downsample is None for block in stage] == [False, True, True]
    assert stage(torch.randn(1, 8, 6, 6)).shape == (1, 16, 3, 3)


def test_without_a_change_there_is_no_projection() -> None:
    assert ResLayer(BasicBlock, 4, 4, 2)[0].downsample is None


def test_the_last_block_can_be_the_one_that_changes() -> None:
    stage = ResLayer(BasicBlock, 4, 8, 3, stride=2, downsample_first=False)
    assert [block.conv1.in_channels for block in stage] == [4, 4, 4]
    assert [block.conv2.out_channels for block in stage] == [4, 4, 8]
    assert [block.downsample is None for block in stage] == [True, True, False]
    assert stage(torch.randn(1, 4, 6, 6)).shape == (1, 8, 3, 3)


def test_average_pooling_in_a_shortcut_leaves_padding_out_of_its_means() -> None:
    stage = ResLayer(BasicBlock, 1, 1, 1, stride=2, avg_down=True)
    pooled = stage[0].downsample[0](torch.ones(1, 1, 3, 3))
    assert pooled[0, 0].tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("norm_cfg", [{"type": "BN"}, None])
def test_a_simplified_block_works_without_norms(norm_cfg: dict | None) -> None:
    block = SimplifiedBasicBlock(4, 4, norm_cfg=norm_cfg).eval()
    assert (block.conv1.bias is None) == (norm_cfg is not None)
    x = torch.randn(1, 4, 5, 5)
    y = block.conv1(x)
    y = y if norm_cfg is None else block.norm1(y)
    y = block.conv2(y.relu())
    y = y if norm_cfg is None else block.norm2(y)
    assert torch.allclose(block(x), (y + x).relu(), atol=1e-6)
    with pytest.raises(OptionError, match="has no dcn"):
        SimplifiedBasicBlock(4, 4, dcn={"type": "DCN"})


def test_the_shared_head_is_the_last_stage_under_its_own_name() -> None:
    with torch.device("meta"):
        head = SHARED_HEADS.build({"type": "ResLayer", "depth": 50, "style": "caffe"})
        features = head(torch.zeros(3, 1024, 14, 14))
    assert isinstance(head, SharedResLayer)
    assert features.shape == (3, 2048, 7, 7)
    assert {key.split(".")[0] for key in head.state_dict()} == {"layer4"}


def test_the_shared_heads_norms_keep_their_statistics() -> None:
    head = SharedResLayer(18, stage=0, stride=1).train()
    assert head.layer1.training
    assert not head.layer1[0].bn1.training
    assert SharedResLayer(18, stage=0, stride=1, norm_eval=False).train().layer1[0].bn1.training
    with pytest.raises(OptionError, match="depth=20"):
        SharedResLayer(20)


def test_squeeze_and_excitation_scales_channels_by_their_averages() -> None:
    layer = SELayer(8, ratio=4)
    x = torch.randn(2, 8, 3, 3)
    inner = layer.conv1.conv(x.mean((2, 3), keepdim=True)).relu()
    assert torch.allclose(layer(x), x * layer.conv2.conv(inner).sigmoid(), atol=1e-6)
    assert layer.conv1.conv.out_channels == 2


def test_one_activation_serves_both_layers_and_three_are_too_many() -> None:
    layer = SELayer(8, ratio=2, act_cfg={"type": "Tanh"})
    assert isinstance(layer.conv1.activate, nn.Tanh)
    assert isinstance(layer.conv2.activate, nn.Tanh)
    with pytest.raises(OptionError, match="a pair"):
        SELayer(8, act_cfg=({"type": "ReLU"},) * 3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 8), (16, 16), (17, 16), (20, 24), (11, 16)],  # 11 would lose more than a tenth at 8
)
def test_channels_are_rounded_to_multiples(value: float, expected: int) -> None:
    assert make_divisible(value, 8) == expected


def test_an_inverted_residual_adds_its_input_where_shapes_agree() -> None:
    block = InvertedResidual(4, 4, 12, se_cfg={"channels": 12, "ratio": 4}).eval()
    x = torch.randn(1, 4, 6, 6)
    y = block.se(block.depthwise_conv(block.expand_conv(x)))
    assert torch.allclose(block(x), x + block.linear_conv(y), atol=1e-6)
    assert block.linear_conv.act_cfg is None
    strided = InvertedResidual(4, 4, 4, stride=2, with_expand_conv=False)
    assert not hasattr(strided, "expand_conv")
    assert strided(x).shape == (1, 4, 3, 3)


def test_an_inverted_residual_can_be_recomputed() -> None:
    plain, saving = InvertedResidual(4, 4, 8), InvertedResidual(4, 4, 8, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 4, 5, 5, requires_grad=True)
    gradients = [torch.autograd.grad(m.eval()(x).square().sum(), x)[0] for m in (plain, saving)]
    assert torch.allclose(*gradients, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"stride": 3}, {"with_expand_conv": False}], ids=["stride", "width"]
)
def test_an_inverted_residual_refuses_contradictions(options: dict) -> None:
    with pytest.raises(OptionError, match="InvertedResidual"):
        InvertedResidual(4, 4, 8, **options)


def test_tokens_and_maps_are_two_views_of_the_same_memory() -> None:
    x = torch.randn(2, 6, 4)
    image = nlc_to_nchw(x, (2, 3))
    assert torch.equal(image[1, :, 1, 2], x[1, 5])
    assert image.data_ptr() == nchw_to_nlc(image).data_ptr() == x.data_ptr()
    assert torch.equal(nchw_to_nlc(image), x)


def test_freezing_and_keeping_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.GroupNorm(1, 1)).train()
    keep_batch_statistics(model)
    assert [part.training for part in model] == [True, False, True]
    freeze([model[0]])
    assert not model[0].training
    assert not model[0].weight.requires_grad


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("ResNeXt", {"depth": 50, "gruops": 2}, "ResNeXt has no argument 'gruops'.*'groups'"),
        ("ResNeXt", {"groups": 2}, "ResNeXt needs the argument 'depth'"),
        ("Res2Net", {"depth": 50, "stlye": "caffe"}, "'style'"),
        ("ResNeSt", {"depth": 50, "radx": 1}, "'radix'"),
        ("ResNetV1d", {"depth": 50, "deep_stem": False}, "ResNetV1d sets it itself: deep_stem"),
        ("PyramidVisionTransformerV2", {"embed_dim": 8}, "'embed_dims'"),
    ],
)
def test_a_variant_names_the_argument_that_its_base_lacks(
    kind: str, options: dict, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        BACKBONES.build({"type": kind, **options})
