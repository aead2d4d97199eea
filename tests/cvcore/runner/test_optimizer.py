from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cvcore.errors import ArgumentError
from cvcore.parallel import MMDataParallel
from cvcore.runner import (
    OPTIMIZER_BUILDERS,
    OPTIMIZERS,
    DefaultOptimizerConstructor,
    build_optimizer,
)

SGD = {"type": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}


class Net(nn.Module):
    """Every kind of layer that options tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(1))
        self.conv = nn.Conv2d(4, 4, 1)
        self.depthwise = nn.Conv2d(4, 4, 3, groups=4)
        self.norm = nn.GroupNorm(2, 4)
        self.head = nn.ModuleDict({"cls": nn.Linear(4, 2)})


def options(optimizer: Any, model: nn.Module) -> dict[str, tuple[float, float]]:
    """lr and weight decay, relative to 0.1 and 0.01, by the name of the parameter."""
    names = {id(param): name for name, param in model.named_parameters()}
    return {
        names[id(param)]: (
            round(group["lr"] / 0.1, 6),
            round(group["weight_decay"] / 0.01, 6),
        )
        for group in optimizer.param_groups
        for param in group["params"]
    }


def test_every_optimizer_of_torch_is_known_by_its_name() -> None:
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "LBFGS", "RAdam"):
        found = OPTIMIZERS.get(name)
        assert found is not None
        assert found.__name__ == name
        assert issubclass(found, getattr(torch.optim, name))
    assert "Optimizer" not in OPTIMIZERS.module_dict


def test_without_options_all_parameters_are_one_group() -> None:
    model = Net()
    optimizer = build_optimizer(MMDataParallel(model, device_ids=[-1]), SGD)

    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 0.01)


def test_with_options_every_parameter_is_a_group_of_its_own() -> None:
    model = Net()
    optimizer = build_optimizer(model, {**SGD, "paramwise_cfg": {"norm_decay_mult": 0.0}})

    assert [len(group["params"]) for group in optimizer.param_groups] == [1] * 9
    names = list(options(optimizer, model))
    assert names == [name for name, _ in model.named_parameters()]


def test_multipliers_reach_the_parameters_that_they_are_named_for() -> None:
    model = Net()
    paramwise = {
        "bias_lr_mult": 2.0,
        "bias_decay_mult": 0.5,
        "norm_decay_mult": 0.0,
        "dwconv_decay_mult": 0.1,
    }
    optimizer = build_optimizer(model, {**SGD, "paramwise_cfg": paramwise})

    assert options(optimizer, model) == {
        "own": (1, 1),
        "conv.weight": (1, 1),
        "conv.bias": (2, 0.5),
        "depthwise.weight": (1, 0.1),
        "depthwise.bias": (2, 0.1),
        "norm.weight": (1, 0),
        "norm.bias": (1, 0),
        "head.cls.weight": (1, 1),
        "head.cls.bias": (2, 0.5),
    }


def test_the_longest_custom_key_decides_and_shuts_the_others_out() -> None:
    model = Net()
    custom = {
        "head": {"lr_mult": 0.1},
        "head.cls": {"lr_mult": 10, "decay_mult": 0},
        "conv": {"decay_mult": 3},
    }
    paramwise = {"custom_keys": custom, "bias_lr_mult": 2.0, "norm_decay_mult": 0.0}
    optimizer = build_optimizer(model, {**SGD, "paramwise_cfg": paramwise})

    found = options(optimizer, model)
    assert found["head.cls.bias"] == (10, 0)
    assert found["conv.bias"] == (1, 3)
    assert found["depthwise.bias"] == (2, 1)
    assert found["norm.bias"] == (1, 0)


def test_frozen_parameters_keep_the_base_options() -> None:
    model = Net()
    model.conv.bias.requires_grad = False
    optimizer = build_optimizer(model, {**SGD, "paramwise_cfg": {"bias_lr_mult": 2.0}})

    assert options(optimizer, model)["conv.bias"] == (1, 1)


def test_offsets_of_deformable_convolutions_have_their_own_rate() -> None:
    from cvcore.ops import DeformConv2dPack

    class Deformable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = DeformConv2dPack(4, 4, 3, padding=1)

    model = Deformable()
    paramwise = {"dcn_offset_lr_mult": 0.1, "bias_lr_mult": 2.0, "bias_decay_mult": 0.0}
    optimizer = build_optimizer(model, {**SGD, "paramwise_cfg": paramwise})

    assert options(optimizer, model) == {
        "conv.weight": (1, 1),
        "conv.conv_offset.weight": (0.1, 1),
        "conv.conv_offset.bias": (0.1, 1),
    }


class Shared(nn.Module):
    """Two heads around the same parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2, bias=False)
        self.two = nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight


def test_shared_parameters_are_taken_once_if_asked_for() -> None:
    paramwise = {"bypass_duplicate": True, "norm_decay_mult": 1.0}
    with pytest.warns(UserWarning, match=r"two\.weight is shared"):
        optimizer = build_optimizer(Shared(), {**SGD, "paramwise_cfg": paramwise})

    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    "paramwise",
    [
        {"bias_decay_mult": 0.0},
        {"norm_decay_mult": 0.0},
        {"dwconv_decay_mult": 0.0},
        {"custom_keys": {"conv": {"decay_mult": 0.0}}},
    ],
)
def test_a_multiplied_decay_needs_a_decay(paramwise: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"optimizer\.weight_decay"):
        build_optimizer(Net(), {"type": "SGD", "lr": 0.1, "paramwise_cfg": paramwise})


def test_wrong_configs_are_refused() -> None:
    with pytest.raises(TypeError, match="custom_keys"):
        build_optimizer(Net(), {**SGD, "paramwise_cfg": {"custom_keys": ["conv"]}})
    with pytest.raises(TypeError, match="paramwise_cfg"):
        DefaultOptimizerConstructor(SGD, ["norm"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"norm_decay_mlt.*norm_decay_mult"):
        build_optimizer(Net(), {**SGD, "paramwise_cfg": {"norm_decay_mlt": 0.0}})
    with pytest.raises(ArgumentError, match=r"momentun.*nearest: 'momentum'"):
        build_optimizer(Net(), {"type": "SGD", "lr": 0.1, "momentun": 0.9})


def test_a_users_constructor_is_found_by_name() -> None:
    @OPTIMIZER_BUILDERS.register_module(name="TestOnlyOptimizerConstructor")
    class Halving(DefaultOptimizerConstructor):
        def __call__(self, model: nn.Module) -> torch.optim.Optimizer:
            optimizer = super().__call__(model)
            optimizer.param_groups[0]["lr"] /= 2
            return optimizer

    try:
        optimizer = build_optimizer(Net(), {**SGD, "constructor": "TestOnlyOptimizerConstructor"})
    finally:
        OPTIMIZER_BUILDERS.module_dict.pop("TestOnlyOptimizerConstructor")

    assert optimizer.param_groups[0]["lr"] == 0.05


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_a_step_on_a_cpu_is_fused_and_equals_the_plain_one(kind: str) -> None:
    torch.manual_seed(0)
    recipe = {"type": kind, "lr": 0.1, "weight_decay": 0.01}
    start = [torch.randn(5, 3), torch.randn(7)]
    ends = []
    for how in ({}, {"fused": False}):
        model = nn.ParameterList(nn.Parameter(each.clone()) for each in start)
        optimizer = build_optimizer(model, {**recipe, **how})
        for step in range(4):
            for i, param in enumerate(model):
                param.grad = torch.sin(param.detach() * (i + step + 1))
            optimizer.step()
        assert bool(optimizer.param_groups[0]["fused"]) is (not how)
        ends.append([param.detach() for param in model])
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "recipe",
    [{**SGD, "foreach": True}, {**SGD, "fused": False}, {"type": "RMSprop", "lr": 0.1}],
    ids=["foreach", "not fused", "no such kernel"],
)
def test_a_named_implementation_is_kept(recipe: dict[str, Any]) -> None:
    (group,) = build_optimizer(Net(), recipe).param_groups

    assert not group.get("fused")
    assert bool(group.get("foreach")) is ("foreach" in recipe)


def test_sparse_gradients_get_no_fused_step() -> None:
    model = nn.Embedding(4, 2, sparse=True)
    optimizer = build_optimizer(model, {"type": "SGD", "lr": 1.0})
    before = model.weight.detach().clone()

    model(torch.tensor([1])).sum().backward()
    optimizer.step()

    assert (before - model.weight.detach()).tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]
