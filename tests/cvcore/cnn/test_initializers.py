from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from cvcore.cnn import INITIALIZERS, BaseModule, initialize
from cvcore.errors import ArgumentError, ConfigError


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Conv1d(2, 2, 1))
        self.head = nn.Linear(2, 2)


def values(module: nn.Module) -> set[float]:
    return set(module.weight.flatten().tolist())


def test_only_the_named_layers_are_filled() -> None:
    model = Model()
    before = values(model.head)
    initialize(model, {"type": "Constant", "val": 3, "bias": 4, "layer": ["Conv1d", "Conv2d"]})
    assert values(model.features[0]) == values(model.features[2]) == {3.0}
    assert torch.all(model.features[0].bias == 4)
    assert values(model.features[1]) == {1.0}
    assert values(model.head) == before


def test_a_layer_matches_by_a_direct_base_but_not_by_a_remoter_one() -> None:
    class OwnConv(nn.Conv2d):
        pass

    class Remote(OwnConv):
        pass

    model = nn.Sequential(OwnConv(1, 1, 1), Remote(1, 1, 1), nn.BatchNorm2d(1))
    remote = values(model[1])
    initialize(model, {"type": "Constant", "val": 3, "layer": "Conv2d"})
    initialize(model, {"type": "Constant", "val": 5, "layer": "_BatchNorm"})
    assert values(model[0]) == {3.0}
    assert values(model[1]) == remote
    assert values(model[2]) == {5.0}


def test_without_a_layer_nothing_but_the_override_is_filled() -> None:
    model = Model()
    before = values(model.features[0])
    override = {"type": "Constant", "val": 7, "name": "head"}
    initialize(model, {"type": "Constant", "val": 3, "override": override})
    assert values(model.features[0]) == before
    assert values(model.head) == {7.0}


def test_an_override_without_a_type_takes_the_recipe_around_it_for_the_whole_child() -> None:
    model = Model()
    override = [{"name": "head"}, {"type": "Normal", "std": 0, "mean": 2, "name": "features"}]
    initialize(model, {"type": "Constant", "val": 3, "layer": "Conv2d", "override": override})
    assert values(model.head) == {3.0}
    assert values(model.features[1]) == {2.0}


def test_later_recipes_of_a_list_win() -> None:
    model = Model()
    recipes = [{"type": "Constant", "val": value, "layer": "Linear"} for value in (1, 2)]
    initialize(model, recipes)
    assert values(model.head) == {2.0}


def test_a_prior_probability_sets_the_bias() -> None:
    model = Model()
    initialize(model, {"type": "Normal", "std": 0.01, "layer": "Linear", "bias_prob": 0.01})
    assert model.head.bias[0].item() == pytest.approx(-math.log(99))


@pytest.mark.parametrize(
    ("kind", "arguments", "low", "high"),
    [
        ("Uniform", {"a": 2, "b": 3}, 2, 3),
        ("TruncNormal", {"std": 5, "a": -1, "b": 1}, -1, 1),
        # 1x1 over 2 channels in and 2 out: sqrt(6 / 4), sqrt(6 / 2), sqrt(3 / 2)
        ("Xavier", {"distribution": "uniform"}, -(1.5**0.5), 1.5**0.5),
        ("Kaiming", {"distribution": "uniform"}, -(3**0.5), 3**0.5),
        ("Caffe2Xavier", {}, -(1.5**0.5), 1.5**0.5),
    ],
)
def test_each_recipe_draws_from_its_own_range(
    kind: str, arguments: dict, low: float, high: float
) -> None:
    torch.manual_seed(0)
    model = Model()
    nn.init.constant_(model.features[0].weight, 100)
    initialize(model, {"type": kind, "layer": "Conv2d", "bias": 0.5, **arguments})
    weight = model.features[0].weight
    assert low <= weight.min() < weight.max() <= high
    assert torch.all(model.features[0].bias == 0.5)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"type": "Constant", "val": 1, "override": {"type": "Normal"}}, "needs the `name`"),
        ({"type": "Constant", "val": 1, "override": {"name": "head", "std": 1}}, "needs a `type`"),
        ({"type": "Constant", "val": 1, "override": {"name": "neck"}}, "features, head"),
        ({"type": "Constant", "val": 1, "bias": "0"}, "bias must be a number"),
        ({"type": "Constant", "val": 1, "bias_prob": 1}, "bias_prob must be a float"),
        ({"type": "Constant", "val": 1, "layer": [1]}, "layer must be a class name"),
        (["Constant"], "expected a dict"),
    ],
)
def test_a_recipe_that_cannot_be_followed_says_why(recipe: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        initialize(Model(), recipe)


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(ArgumentError, match="distributoin"):
        INITIALIZERS.build({"type": "Xavier", "distributoin": "uniform"})


def test_caffe2_xavier_has_no_parameters_of_its_own() -> None:
    with pytest.raises(ArgumentError):
        INITIALIZERS.build({"type": "Caffe2Xavier", "a": 3})


class Pretrained(BaseModule):
    def __init__(self, init_cfg: dict) -> None:
        super().__init__(init_cfg)
        self.inner = nn.Linear(1, 1)
        self.child = BaseModule({"type": "Constant", "val": 9, "layer": "Linear"})
        self.child.linear = nn.Linear(1, 1)


def test_a_checkpoint_fills_the_module_and_children_keep_out(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    weights = {"inner.weight": [[2.0]], "inner.bias": [3.0], "child.linear.weight": [[4.0]]}
    weights |= {"child.linear.bias": [5.0]}
    torch.save({"state_dict": {k: torch.tensor(v) for k, v in weights.items()}}, path)
    model = Pretrained({"type": "Pretrained", "checkpoint": str(path)})
    model.init_weights()
    assert [p.item() for p in model.parameters()] == [2.0, 3.0, 4.0, 5.0]


def test_a_prefix_takes_one_part_of_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "detector.pth"
    weights = {"backbone.weight": torch.tensor([[2.0]]), "backbone.bias": torch.tensor([3.0])}
    torch.save({"state_dict": {**weights, "head.weight": torch.ones(1)}}, path)
    linear = nn.Linear(1, 1)
    initialize(linear, {"type": "Pretrained", "checkpoint": str(path), "prefix": "backbone."})
    assert (linear.weight.item(), linear.bias.item()) == (2.0, 3.0)
