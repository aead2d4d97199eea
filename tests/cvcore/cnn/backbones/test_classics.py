"""AlexNet, VGG and ResNet compute what torchvision's models do with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from cvcore.cnn import VGG, AlexNet, ResNet, make_res_layer, make_vgg_layer
from cvcore.cnn.backbones.resnet import BasicBlock, Bottleneck
from cvcore.errors import ConfigError
from cvcore.runner import save_checkpoint


def seeded(module: nn.Module) -> nn.Module:
    """Small weights, and norms with statistics that are not 0 and 1."""
    random = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=random)
            positive = name.endswith("running_var") or tensor.dim() == 1
            fan_in = max(tensor[0].numel(), 1) if tensor.dim() > 1 else 1
            tensor.copy_(noise + 0.5 if positive else (noise - 0.5) * (6 / fan_in) ** 0.5)
    return module.eval()


def picture(size: int) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))


def copy_into(mine: nn.Module, theirs: nn.Module) -> nn.Module:
    """Load torchvision's weights; every key of mine must be among them."""
    wanted = mine.state_dict()
    source = {key: value for key, value in theirs.state_dict().items() if key in wanted}
    mine.load_state_dict(source, strict=True)
    return mine.eval()


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
def test_resnet_is_torchvisions_stage_by_stage(depth: int) -> None:
    theirs = seeded(getattr(models, f"resnet{depth}")(weights=None))
    mine = copy_into(ResNet(depth), theirs)
    x = picture(64)
    stages = mine(x)
    x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
    for index, stage in enumerate(stages):
        x = getattr(theirs, f"layer{index + 1}")(x)
        torch.testing.assert_close(stage, x)
    assert stages[-1].shape == (1, mine.feat_dim, 2, 2)


@torch.no_grad()
@pytest.mark.parametrize("with_bn", [False, True])
def test_vgg_is_torchvisions(with_bn: bool) -> None:
    theirs = seeded((models.vgg11_bn if with_bn else models.vgg11)(weights=None).features)
    mine = VGG(11, with_bn=with_bn)
    mine.features.load_state_dict(theirs.state_dict(), strict=True)
    mine.eval()
    x = picture(64)
    stages = mine(x)
    torch.testing.assert_close(stages[-1], theirs(x))
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]


@torch.no_grad()
def test_alexnet_is_torchvisions() -> None:
    theirs = seeded(models.alexnet(weights=None).features)
    mine = AlexNet()
    mine.features.load_state_dict(theirs.state_dict(), strict=True)
    x = picture(64)
    torch.testing.assert_close(mine.eval()(x), theirs(x))


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda: VGG(16, num_classes=10), lambda: models.vgg16(weights=None, num_classes=10)),
        (lambda: AlexNet(10), lambda: models.alexnet(weights=None, num_classes=10)),
    ],
    ids=["VGG", "AlexNet"],
)
def test_classifiers_give_torchvisions_scores(mine: object, theirs: object) -> None:
    reference = seeded(theirs())
    scores = copy_into(mine(), reference)(picture(224))
    torch.testing.assert_close(scores, reference(picture(224)))


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_every_vgg_has_torchvisions_keys(depth: int) -> None:
    with torch.device("meta"):
        mine, theirs = VGG(depth, num_classes=1000), getattr(models, f"vgg{depth}")(weights=None)
    assert shapes(mine) == shapes(theirs)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_every_resnet_has_torchvisions_keys_but_for_the_classifier(depth: int) -> None:
    with torch.device("meta"):
        mine, theirs = ResNet(depth), getattr(models, f"resnet{depth}")(weights=None)
    expected = {key: shape for key, shape in shapes(theirs).items() if not key.startswith("fc.")}
    assert shapes(mine) == expected


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def test_what_is_frozen_stays_so_in_training() -> None:
    net = ResNet(18, frozen_stages=1, bn_eval=False).train()
    still = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    assert still == {
        name for name, _ in net.named_parameters() if name.startswith(("conv1.", "bn1.", "layer1."))
    }
    assert not net.layer1[0].bn1.training
    assert net.layer2[0].bn1.training
    vgg = VGG(11, with_bn=True, frozen_stages=2, bn_frozen=True).train()
    # Two stages of conv, norm, ReLU, pool: layers 0 to 7.
    assert not any(p.requires_grad for p in vgg.features[:8].parameters())
    assert vgg.features[8].weight.requires_grad
    norms = [layer for layer in vgg.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)


def test_dilations_keep_the_resolution() -> None:
    net = ResNet(18, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), out_indices=(3,)).eval()
    assert net(picture(32)).shape == (1, 512, 4, 4)
    dilated = VGG(11, num_stages=2, dilations=(1, 2), out_indices=(1,), with_last_pool=False)
    assert dilated(picture(16)).shape == (1, 128, 8, 8)
    stage = make_vgg_layer(3, 8, 2, dilation=2, with_bn=True, ceil_mode=True)
    assert nn.Sequential(*stage)(picture(15)).shape == (1, 8, 8, 8)


def test_a_caffe_bottleneck_has_its_stride_in_front() -> None:
    stage = make_res_layer(Bottleneck, 64, 16, 2, stride=2, style="caffe")
    assert stage[0].conv1.stride == (2, 2)
    assert stage[0].conv2.stride == (1, 1)
    assert stage[1].downsample is None
    assert stage(torch.ones(1, 64, 8, 8)).shape == (1, 64, 4, 4)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_computing_a_block_again_gives_the_same_gradients(block: type) -> None:
    plain = seeded(make_res_layer(block, 8, 8, 1)).eval()
    again = make_res_layer(block, 8, 8, 1, with_cp=True).eval()
    again.load_state_dict(plain.state_dict())
    gradients = []
    for stage in (plain, again):
        x = torch.linspace(-1, 1, 8 * 16).view(1, 8, 4, 4).requires_grad_()
        stage(x).square().sum().backward()
        gradients.append((x.grad, stage[0].conv1.weight.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_weights_are_drawn_or_come_from_a_checkpoint(tmp_path: Path) -> None:
    net = ResNet(18)
    net.init_weights()
    # Kaiming by fan out: sqrt(2 / (64 * 9)) for a 3 x 3 convolution to 64 channels.
    assert net.layer1[0].conv1.weight.std().item() == pytest.approx((2 / 576) ** 0.5, rel=0.02)
    path = tmp_path / "weights.pth"
    save_checkpoint(net, str(path))
    other = ResNet(18)
    other.init_weights(path)
    for key, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[key], value), key
    alex = AlexNet()
    before = alex.features[0].weight.clone()
    alex.init_weights()
    assert torch.equal(alex.features[0].weight, before)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ResNet(20), "depth=20"),
        (lambda: VGG(12), "depth=12"),
        (lambda: ResNet(18, num_stages=2), "num_stages=2"),
        (lambda: ResNet(18, out_indices=(4,)), "out_indices"),
        (lambda: VGG(11, num_stages=6), "num_stages=6"),
        (lambda: VGG(11, out_indices=(5,)), "out_indices"),
        (lambda: make_res_layer(Bottleneck, 4, 4, 1, style="torch"), "style"),
    ],
)
def test_what_cannot_be_built_is_named(build: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()
