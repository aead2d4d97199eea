from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cvcore.cnn import Conv2d
from cvcore.errors import RegistryError
from detcore.errors import OptionError
from detcore.models.backbones.resnet import ResNet, ResNetV1d
from detcore.models.backbones.resnext import ResNeXt
from detcore.models.layers.res_blocks import BasicBlock, Bottleneck
from detcore.registries import BACKBONES


def small(**options: object) -> ResNet:
    return ResNet(**{"depth": 18, "base_channels": 4, **options})


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))


def test_the_stages_halve_the_resolution_and_double_the_channels(image: Tensor) -> None:
    shapes = [tuple(x.shape) for x in small()(image)]
    assert shapes == [(1, 4, 16, 12), (1, 8, 8, 6), (1, 16, 4, 3), (1, 32, 2, 2)]


def test_bottlenecks_have_four_times_the_channels(image: Tensor) -> None:
    model = ResNet(
        50, base_channels=4, num_stages=3, strides=(1, 2, 1), dilations=(1, 1, 2), out_indices=(2,)
    )
    assert [tuple(x.shape) for x in model(image)] == [(1, 64, 8, 6)]
    assert model.feat_dim == 64
    assert not hasattr(model, "layer4")


@pytest.mark.parametrize(("style", "strides"), [("pytorch", (1, 2)), ("caffe", (2, 1))])
def test_the_style_says_which_convolution_strides(style: str, strides: tuple[int, int]) -> None:
    block = Bottleneck(8, 2, stride=2, style=style)
    assert (block.conv1.stride[0], block.conv2.stride[0]) == strides


def test_a_deep_stem_has_three_convolutions_and_v1d_pools_in_its_shortcuts(image: Tensor) -> None:
    model = ResNetV1d(depth=18, base_channels=4, stem_channels=8)
    assert [key for key in model.state_dict() if key.startswith("stem") and "conv" not in key][:1]
    assert [model.stem[i].out_channels for i in (0, 3, 6)] == [4, 4, 8]
    assert isinstance(model.layer2[0].downsample[0], nn.AvgPool2d)
    assert model.layer2[0].downsample[1].stride == (1, 1)
    assert model(image)[0].shape == (1, 4, 16, 12)


def test_frozen_stages_stay_in_evaluation_without_gradients(image: Tensor) -> None:
    model = small(frozen_stages=1, norm_eval=False).train()
    frozen = [model.conv1, model.bn1, model.layer1]
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert all(p.requires_grad for p in model.layer2.parameters())
    assert not any(module.training for part in frozen for module in part.modules())
    assert model.layer2.training
    outputs = model(image)
    assert not outputs[0].requires_grad
    outputs[3].sum().backward()
    assert model.layer2[0].conv1.weight.grad is not None


def test_a_gradient_of_the_image_passes_through_frozen_stages(image: Tensor) -> None:
    image.requires_grad_()
    small(frozen_stages=4).eval()(image)[3].sum().backward()
    assert image.grad.abs().sum() > 0


def test_a_frozen_deep_stem_is_frozen_as_well() -> None:
    model = ResNetV1d(depth=18, base_channels=4, frozen_stages=0).train()
    assert not any(p.requires_grad for p in model.stem.parameters())
    assert not model.stem.training
    assert all(p.requires_grad for p in model.layer1.parameters())


@pytest.mark.parametrize("norm_eval", [True, False])
def test_norm_eval_keeps_the_running_statistics_in_training(norm_eval: bool, image: Tensor) -> None:
    model = small(norm_eval=norm_eval).train()
    model(image)
    assert torch.all(model.bn1.running_mean == 0) == norm_eval
    assert model.layer1.training


def test_untrained_weights_are_kaiming_with_every_block_an_identity() -> None:
    torch.manual_seed(0)
    model = ResNet(50, base_channels=16)
    model.init_weights()
    assert torch.all(model.layer1[0].bn3.weight == 0)
    assert torch.all(model.layer1[0].bn2.weight == 1)
    weight = model.layer4[1].conv2.weight  # 128 channels, 3x3: fan out 1152
    assert weight.std().item() == pytest.approx((2 / 1152) ** 0.5, rel=0.02)
    basic = small()
    basic.init_weights()
    assert torch.all(basic.layer1[0].bn2.weight == 0)
    assert torch.all(basic.layer1[0].bn1.weight == 1)


def test_blocks_start_as_identities_only_where_that_is_asked_for() -> None:
    model = small(zero_init_residual=False)
    model.init_weights()
    assert torch.all(model.layer1[0].bn2.weight == 1)
    own = small(init_cfg={"type": "Constant", "val": 2, "layer": "BatchNorm2d"})
    own.init_weights()
    assert torch.all(own.layer1[0].bn2.weight == 2)


def test_pretrained_is_an_older_way_to_name_a_checkpoint() -> None:
    model = small(pretrained="torchvision://resnet18")
    assert model.init_cfg == {"type": "Pretrained", "checkpoint": "torchvision://resnet18"}
    with pytest.raises(OptionError, match="both given"):
        small(pretrained="a.pth", init_cfg={"type": "Pretrained", "checkpoint": "b.pth"})
    with pytest.raises(OptionError, match="must be a path"):
        small(pretrained=True)


def test_norms_of_another_kind_are_named_by_it() -> None:
    model = small(norm_cfg={"type": "GN", "num_groups": 2})
    assert {"gn1.weight", "layer1.0.gn1.weight", "layer1.0.gn2.bias"} <= set(model.state_dict())


def test_deformable_convolutions_go_into_the_stages_that_are_named(image: Tensor) -> None:
    model = ResNet(
        50,
        base_channels=4,
        dcn={"type": "DCNv2", "deform_groups": 1, "fallback_on_stride": False},
        stage_with_dcn=(False, False, True, False),
    )
    with_offsets = {key.split(".")[0] for key in model.state_dict() if "conv_offset" in key}
    assert with_offsets == {"layer3"}
    assert model(image)[3].shape == (1, 128, 2, 2)


def test_fallback_on_stride_keeps_the_plain_convolution() -> None:
    block = Bottleneck(8, 2, dcn={"type": "DCN", "fallback_on_stride": True})
    assert type(block.conv2) is Conv2d


def test_plugins_go_into_their_place_in_the_stages_that_are_named(image: Tensor) -> None:
    plugin = {
        "cfg": {"type": "ContextBlock", "ratio": 0.25},
        "stages": (False, True, False, False),
        "position": "after_conv3",
    }
    other = {"cfg": {"type": "NonLocal2d", "postfix": "_a"}, "position": "after_conv2"}
    model = ResNet(50, base_channels=4, plugins=[plugin, other]).eval()
    names = {key.split(".")[0] for key in model.state_dict() if "context_block" in key}
    assert names == {"layer2"}
    assert "layer1.0.nonlocal_block_a.g.conv.weight" in model.state_dict()
    block = model.layer2[1]
    nn.init.normal_(block.context_block.channel_add_conv[3].weight)
    x = torch.randn(1, 32, 4, 4)
    y = block.relu(block.bn1(block.conv1(x)))
    y = block.nonlocal_block_a(block.relu(block.bn2(block.conv2(y))))
    expected = torch.relu(block.context_block(block.bn3(block.conv3(y))) + x)
    assert torch.allclose(block(x), expected, atol=1e-5)
    model(image)


def test_recomputing_blocks_gives_the_same_gradients(image: Tensor) -> None:
    plain = small()
    saving = small(with_cp=True)
    saving.load_state_dict(plain.state_dict())
    for model in (plain, saving):
        model(image)[3].square().sum().backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)


def test_channels_last_goes_in_and_comes_out(image: Tensor) -> None:
    model = small().to(memory_format=torch.channels_last).eval()
    outputs = model(image.to(memory_format=torch.channels_last))
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in outputs)
    reference = small().eval()
    reference.load_state_dict(model.state_dict())
    assert torch.allclose(outputs[3], reference(image)[3], atol=1e-5)


def test_groups_widen_the_branch_of_a_resnext() -> None:
    model = ResNeXt(groups=32, base_width=4, depth=50)
    assert model.layer1[0].conv2.weight.shape == (128, 4, 3, 3)
    assert model.layer4[0].conv2.weight.shape == (1024, 32, 3, 3)
    assert model.layer4[0].conv3.weight.shape == (2048, 1024, 1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 20}, "depth=20"),
        ({"num_stages": 5}, "num_stages=5"),
        ({"strides": (1, 2)}, "one number a stage"),
        ({"dilations": (1, 2)}, "one number a stage"),
        ({"dcn": {"type": "DCN"}, "stage_with_dcn": (True,)}, "one flag a stage"),
        ({"num_stages": 2, "strides": (1, 2), "dilations": (1, 1)}, "out_indices"),
        ({"dcn": {"type": "DCN"}, "stage_with_dcn": (True,) * 4}, "ResNet-50 and deeper"),
        ({"depth": 50, "style": "tensorflow"}, "style"),
        ({"depth": 50, "plugins": [{"cfg": {"type": "ContextBlock"}, "position": "first"}]}, "pos"),
        (
            {"depth": 50, "plugins": [{"cfg": {}, "stages": (True,), "position": "after_conv1"}]},
            "one flag a stage",
        ),
        (
            {
                "depth": 50,
                "dcn": {"type": "DCN"},
                "stage_with_dcn": (True,) * 4,
                "conv_cfg": {"type": "ConvWS"},
            },
            "keep one",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        small(**options)


def test_two_plugins_of_one_name_are_refused() -> None:
    plugin = {"cfg": {"type": "ContextBlock", "ratio": 0.5}, "position": "after_conv2"}
    with pytest.raises(OptionError, match="postfix"):
        Bottleneck(8, 2, plugins=[plugin, plugin])


def test_a_config_builds_it_and_a_misspelt_name_is_answered_with_the_nearest() -> None:
    assert isinstance(BACKBONES.build({"type": "ResNet", "depth": 18}), ResNet)
    assert isinstance(BACKBONES.build({"type": "mmdet.ResNet", "depth": 18}), ResNet)
    with pytest.raises(RegistryError, match="'ResNet'"):
        BACKBONES.build({"type": "Resnet", "depth": 18})


def test_a_basic_block_adds_its_input() -> None:
    block = BasicBlock(4, 4).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x.relu())
