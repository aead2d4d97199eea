from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from detcore.errors import OptionError
from detcore.models.backbones.hrnet import HRModule, HRNet
from detcore.models.backbones.mobilenet_v2 import MobileNetV2
from detcore.models.backbones.regnet import RegNet, block_widths
from detcore.models.backbones.res2net import Bottle2neck, Res2Net
from detcore.models.backbones.resnest import ResNeSt, SplitAttentionConv2d
from detcore.models.layers.res_blocks import BasicBlock


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 64, 64)


def test_widths_follow_a_line_snapped_to_powers() -> None:
    # The published RegNetX-400MF: depths 1, 2, 7, 12 and widths 32, 64, 160, 384 (before groups).
    widths = block_widths(24, 24.48, 2.54, 22)
    assert {width: widths.count(width) for width in widths} == {24: 1, 64: 2, 152: 7, 392: 12}


def test_stage_widths_fit_their_groups() -> None:
    with torch.device("meta"):
        model = RegNet("regnetx_400mf")
    # Table of the paper: widths 32, 64, 160, 384 with groups of 16 channels.
    assert [stage[0].conv3.out_channels for stage in stages(model)] == [32, 64, 160, 384]
    assert [stage[0].conv2.groups for stage in stages(model)] == [2, 4, 10, 24]
    assert [len(stage) for stage in stages(model)] == [1, 2, 7, 12]


def stages(model: nn.Module) -> list[nn.Module]:
    return [getattr(model, f"layer{i}") for i in range(1, 5)]


def test_a_regnet_strides_in_every_stage_and_has_a_stem_of_one_convolution(image: Tensor) -> None:
    arch = {"w0": 8, "wa": 8.0, "wm": 2.0, "group_w": 4, "depth": 8, "bot_mul": 1.0}
    model = RegNet(arch, stem_channels=8)
    assert [x.shape[-1] for x in model(image)] == [16, 8, 4, 2]
    assert not hasattr(model, "maxpool")
    model.init_weights()
    assert torch.all(model.layer1[0].bn3.weight == 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "regnety_1gf"}, "regnetx_400mf"),
        ({"arch": "regnetx_400mf", "strides": (2, 2)}, "makes 4 stages"),
        ({"arch": "regnetx_400mf", "deep_stem": True}, "deep_stem"),
    ],
)
def test_a_regnet_refuses_what_it_cannot_build(options: dict, message: str) -> None:
    if "strides" in options:
        options = {**options, "dilations": (1, 1), "out_indices": (1,)}
    with pytest.raises(OptionError, match=message):
        RegNet(**options)


def loop_slices(block: Bottle2neck, x: Tensor) -> Tensor:
    outputs: list[Tensor] = []
    for index, part in enumerate(x.split(block.width, 1)[:-1]):
        fed = part if block.stage_type == "stage" or index == 0 else part + outputs[-1]
        outputs.append(block.bns[index](block.convs[index](fed)).relu())
    return torch.cat([*outputs, x.split(block.width, 1)[-1]], 1)


@pytest.mark.parametrize("stage_type", ["normal", "stage"])
def test_slices_feed_each_other_except_in_the_first_block(stage_type: str) -> None:
    block = Bottle2neck(16, 4, base_width=8, base_channels=8, stage_type=stage_type).eval()
    assert block.width == 4  # 4 * 8 / 8
    x = torch.randn(1, 16, 5, 5)
    assert torch.allclose(block.middle(x), loop_slices(block, x), atol=1e-6)


def test_where_a_res2net_block_strides_the_last_slice_is_pooled(image: Tensor) -> None:
    model = Res2Net(depth=50, base_channels=8, base_width=4, scales=2)
    block = model.layer2[0]
    x = torch.randn(1, 16, 6, 6)
    last = block.middle(x)[:, 8:]
    assert torch.equal(last, nn.functional.avg_pool2d(x[:, 8:], 3, 2, padding=1))
    assert [x.shape[-1] for x in model(image)] == [16, 8, 4, 2]
    with pytest.raises(OptionError, match="scales=1"):
        Bottle2neck(16, 4, scales=1)


def test_split_attention_weighs_the_candidates_of_each_channel() -> None:
    layer = SplitAttentionConv2d(4, 6, 3, padding=1, radix=2).eval()
    x = torch.randn(2, 4, 5, 5)
    first, second = layer.relu(layer.bn0(layer.conv(x))).chunk(2, 1)
    pooled = (first + second).mean((2, 3), keepdim=True)
    logits = layer.fc2(layer.bn1(layer.fc1(pooled)).relu())
    share = torch.sigmoid(logits[:, :6] - logits[:, 6:])  # softmax of two
    assert torch.allclose(layer(x), share * first + (1 - share) * second, atol=1e-6)


def test_with_groups_the_attentions_outputs_are_ordered_by_group() -> None:
    layer = SplitAttentionConv2d(4, 4, 1, groups=2, radix=2).eval()
    with torch.no_grad():
        layer.fc2.weight.zero_()
        # (group, candidate, channel): the second group prefers its second candidate.
        layer.fc2.bias.copy_(torch.tensor([50.0, 50, 0, 0, 0, 0, 50, 50]))
    x = torch.randn(1, 4, 3, 3)
    first, second = layer.relu(layer.bn0(layer.conv(x))).chunk(2, 1)
    assert torch.allclose(layer(x), torch.cat([first[:, :2], second[:, 2:]], 1), atol=1e-6)


def test_one_candidate_is_scaled_by_a_sigmoid() -> None:
    layer = SplitAttentionConv2d(4, 4, 1, radix=1).eval()
    x = torch.randn(1, 4, 3, 3)
    y = layer.relu(layer.bn0(layer.conv(x)))
    share = layer.fc2(layer.bn1(layer.fc1(y.mean((2, 3), keepdim=True))).relu()).sigmoid()
    assert torch.allclose(layer(x), share * y, atol=1e-6)


@pytest.mark.parametrize("avg_down_stride", [True, False])
def test_a_resnest_strides_by_pooling_or_by_its_convolution(
    avg_down_stride: bool, image: Tensor
) -> None:
    model = ResNeSt(depth=50, base_channels=8, stem_channels=8, avg_down_stride=avg_down_stride)
    assert model.layer2[0].conv2.conv.stride == ((1, 1) if avg_down_stride else (2, 2))
    assert hasattr(model.layer2[0], "avd_layer") == avg_down_stride
    assert not hasattr(model.layer1[0], "avd_layer")
    assert [x.shape[-1] for x in model.eval()(image)] == [16, 8, 4, 2]


def hr_extra(**changes: object) -> dict:
    def stage(modules: int, branches: int, block: str) -> dict:
        return {
            "num_modules": modules,
            "num_branches": branches,
            "block": block,
            "num_blocks": (1,) * branches,
            "num_channels": tuple(4 * 2**i for i in range(branches)),
        }

    stages = {"stage1": stage(1, 1, "BOTTLENECK")}
    stages |= {f"stage{i}": stage(i - 1, i, "BASIC") for i in (2, 3, 4)}
    stages["stage1"]["num_channels"] = (8,)
    return stages | changes


def test_an_hrnet_keeps_its_finest_resolution(image: Tensor) -> None:
    shapes = [tuple(x.shape) for x in HRNet(hr_extra())(image)]
    assert shapes == [(1, 4, 16, 16), (1, 8, 8, 8), (1, 16, 4, 4), (1, 32, 2, 2)]
    single = HRNet(hr_extra(), multiscale_output=False)
    assert [tuple(x.shape) for x in single(image)] == [(1, 4, 16, 16)]
    assert len(single.stage4[1].fuse_layers) == 4
    assert len(single.stage4[2].fuse_layers) == 1


def test_an_exchange_sums_all_resolutions_at_each() -> None:
    module = HRModule(2, BasicBlock, (1, 1), (4, 8), (4, 8)).eval()
    fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)
    a, b = module.branches[0](fine), module.branches[1](coarse)
    down, up = module.fuse_layers[1][0][0], module.fuse_layers[0][1]
    enlarged = nn.functional.interpolate(up[1](up[0](b)), scale_factor=2, mode="nearest")
    outputs = module([fine, coarse])
    assert torch.allclose(outputs[0], (a + enlarged).relu(), atol=1e-6)
    assert torch.allclose(outputs[1], (down(a) + b).relu(), atol=1e-6)


def test_an_hrnets_norms_keep_their_statistics_in_training(image: Tensor) -> None:
    model = HRNet(hr_extra(), zero_init_residual=True).train()
    model.init_weights()
    model(image)
    assert torch.all(model.bn1.running_mean == 0)
    assert torch.all(model.stage2[0].branches[0][0].bn2.weight == 0)
    assert torch.all(model.layer1[0].bn3.weight == 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage2": {**hr_extra()["stage2"], "block": "WIDE"}}, "stage2.block"),
        ({"stage3": {**hr_extra()["stage3"], "num_blocks": (1, 1)}}, "stage3 has num_branches=3"),
    ],
)
def test_an_hrnet_checks_its_stages(changes: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        HRNet(hr_extra(**changes))
    with pytest.raises(OptionError, match="stage4 is missing"):
        HRNet({key: value for key, value in hr_extra().items() if key != "stage4"})


def test_a_mobilenet_returns_the_stages_asked_for(image: Tensor) -> None:
    model = MobileNetV2(widen_factor=0.5, out_indices=(0, 2, 4, 7)).eval()
    shapes = [tuple(x.shape) for x in model(image)]
    assert shapes == [(1, 8, 32, 32), (1, 16, 8, 8), (1, 48, 4, 4), (1, 1280, 2, 2)]
    assert MobileNetV2(widen_factor=1.4).out_channel == 1792


def test_a_mobilenets_frozen_stages_and_norms_stay(image: Tensor) -> None:
    model = MobileNetV2(widen_factor=0.25, frozen_stages=2, norm_eval=True).train()
    frozen = [model.conv1, model.layer1, model.layer2]
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert not any(part.training for part in frozen)
    assert all(p.requires_grad for p in model.layer3.parameters())
    model(image)
    assert torch.all(model.layer3[0].expand_conv.bn.running_mean == 0)


@pytest.mark.parametrize("options", [{"out_indices": (8,)}, {"frozen_stages": 9}])
def test_a_mobilenet_refuses_stages_it_lacks(options: dict) -> None:
    with pytest.raises(OptionError, match="MobileNetV2"):
        MobileNetV2(**options)


def test_the_last_convolution_is_initialised_for_its_fan_out() -> None:
    model = MobileNetV2(widen_factor=0.25)
    model.init_weights()
    weight = model.conv2.conv.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / 1280), rel=0.02)


def test_the_bias_before_the_norm_inside_split_attention_has_no_gradient() -> None:
    """The norm subtracts the mean over the batch, and the bias with it: only rounding is left."""
    attention = SplitAttentionConv2d(8, 8, 3, padding=1).double()
    attention(torch.randn(2, 8, 5, 5, dtype=torch.float64)).square().sum().backward()
    assert attention.fc1.bias.grad.norm() < 1e-12 * attention.fc1.weight.grad.norm()
