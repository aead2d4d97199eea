from __future__ import annotations

import pytest
import torch

from detcore.errors import OptionError
from detcore.models.backbones.resnet import ResNet
from detcore.models.layers.dropblock import DropBlock


def test_outside_training_nothing_is_dropped() -> None:
    x = torch.rand(1, 2, 8, 8)
    assert DropBlock(0.5, 3).eval()(x) is x


def test_squares_are_dropped_and_the_mean_is_kept() -> None:
    torch.manual_seed(0)
    x = torch.ones(4, 16, 32, 32)
    found = DropBlock(0.1, 5, warmup_iters=0)(x)
    assert found.mean().item() == pytest.approx(1, rel=1e-5)
    dropped = (found == 0).float()
    # About 420 squares of 25 cells among 65536: chance moves the tenth by a twentieth of itself.
    assert dropped.mean().item() == pytest.approx(0.1, rel=0.15)
    # Every dropped cell lies in a dropped square of 5 x 5.
    whole = -torch.nn.functional.max_pool2d(-dropped, 5, stride=1)
    covered = torch.nn.functional.max_pool2d(
        torch.nn.functional.pad(whole, [2] * 4), 5, stride=1, padding=2
    )
    assert torch.equal(covered, dropped)


def test_the_share_rises_over_the_warm_up() -> None:
    torch.manual_seed(0)
    layer = DropBlock(0.5, 1, warmup_iters=100)
    x = torch.ones(8, 8, 32, 32)
    first = (layer(x) == 0).float().mean().item()
    assert first == pytest.approx(0.5 / 100, rel=0.5)
    layer.iter_cnt = 1000
    assert (layer(x) == 0).float().mean().item() == pytest.approx(0.5, rel=0.05)


def test_a_map_smaller_than_the_square_is_dropped_cell_by_cell_or_not_at_all() -> None:
    found = DropBlock(0.3, 7, warmup_iters=0)(torch.ones(4, 64, 2, 2))
    assert torch.isfinite(found).all()
    assert 0 < (found == 0).float().mean() < 1


def test_it_plugs_into_a_backbone() -> None:
    plugin = {"cfg": {"type": "DropBlock", "drop_prob": 0.1, "block_size": 3}}
    backbone = ResNet(
        50,
        stem_channels=8,
        base_channels=8,
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        plugins=[{**plugin, "stages": (True,), "position": "after_conv2"}],
    )
    assert isinstance(backbone.layer1[0].drop_block, DropBlock)
    assert backbone(torch.rand(1, 3, 32, 32))[0].shape == (1, 32, 8, 8)


def test_settings_without_meaning_are_named() -> None:
    with pytest.raises(OptionError, match="block_size=4"):
        DropBlock(0.1, 4)
    with pytest.raises(OptionError, match=r"drop_prob=1\.5"):
        DropBlock(1.5, 3)
