from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from cvcore.cnn import BaseModule, ModuleDict, ModuleList, Sequential, update_init_info
from cvcore.cnn.init_record import UNTOUCHED


def constant(value: float, **more: object) -> dict:
    return {"type": "Constant", "val": value, "bias": value, "layer": "Linear", **more}


class Child(BaseModule):
    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.linear = nn.Linear(2, 2)


class Parent(BaseModule):
    def __init__(self, init_cfg: dict | None = None, child_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.linear = nn.Linear(2, 2)
        self.child = Child(child_cfg)


def test_a_parents_recipe_reaches_modules_below_it() -> None:
    model = Parent(constant(1))
    model.init_weights()
    assert torch.all(model.linear.weight == 1)
    assert torch.all(model.child.linear.weight == 1)


def test_a_childs_own_recipe_overrules_its_parents() -> None:
    model = Parent(constant(1), constant(2))
    model.init_weights()
    assert torch.all(model.linear.bias == 1)
    assert torch.all(model.child.linear.bias == 2)


def test_containers_pass_the_call_on_and_have_recipes_of_their_own() -> None:
    model = Sequential(
        ModuleList([Child(constant(2))]),
        ModuleDict({"a": Child()}, init_cfg=constant(3)),
        init_cfg=constant(1),
    )
    model.init_weights()
    assert torch.all(model[0][0].linear.weight == 2)
    assert torch.all(model[1]["a"].linear.weight == 3)


def test_a_plain_module_list_shields_its_members_from_the_walk() -> None:
    model = Parent(constant(1))
    model.members = nn.ModuleList([Child(constant(2))])
    model.init_weights()
    assert torch.all(model.members[0].linear.weight == 1)


def test_initialising_twice_warns_and_changes_nothing() -> None:
    model = Parent(constant(1))
    model.init_weights()
    nn.init.constant_(model.linear.weight, 5)
    with pytest.warns(UserWarning, match="init_weights of Parent was called more than once"):
        model.init_weights()
    assert model.is_init
    assert torch.all(model.linear.weight == 5)


def test_the_recipe_is_the_modules_own_copy() -> None:
    recipe = constant(1)
    model = Child(recipe)
    recipe["val"] = 9
    model.init_weights()
    assert torch.all(model.linear.weight == 1)


class Watcher(BaseModule):
    """Notes what the record says of each parameter while `init_weights` runs."""

    def __init__(self, watched: nn.Module) -> None:
        super().__init__()
        self.watched = [watched]

    def init_weights(self) -> None:
        record = self._params_init_info
        self.seen = {name: record.source(p) for name, p in self.watched[0].named_parameters()}


def test_the_record_names_the_source_of_every_parameter_and_is_gone_afterwards() -> None:
    model = Parent(constant(1, override={"type": "Constant", "val": 2, "name": "child"}))
    model.norm = nn.LayerNorm(2)
    model.watcher = Watcher(model)
    model.init_weights()
    assert "ConstantInit(bias=1, bias_prob=None, val=1)" in model.watcher.seen["linear.weight"]
    assert "val=2" in model.watcher.seen["child.linear.weight"]
    assert model.watcher.seen["norm.weight"] == UNTOUCHED
    assert not any(hasattr(module, "_params_init_info") for module in model.modules())


def test_writes_through_data_in_a_childs_own_method_are_recorded() -> None:
    class Direct(BaseModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def init_weights(self) -> None:
            self.weight.data.fill_(4)

    model = Parent()
    model.direct = Direct()
    model.watcher = Watcher(model.direct)
    model.init_weights()
    assert model.watcher.seen == {"weight": "init_weights of Direct (direct)"}


def test_a_method_of_ones_own_may_say_what_it_does() -> None:
    class Told(BaseModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def init_weights(self) -> None:
            self.weight.data.fill_(4)
            update_init_info(self, "all of it 4")

    model = Parent()
    model.told = Told()
    model.watcher = Watcher(model.told)
    model.init_weights()
    assert model.watcher.seen == {"weight": "all of it 4"}
    update_init_info(model.told, "nobody is listening now")


def test_the_outermost_call_writes_the_record_once_to_the_packages_log_file(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    handler = logging.FileHandler(path)
    package = logging.getLogger(Parent.__module__.split(".", maxsplit=1)[0])
    package.addHandler(handler)
    try:
        Parent(constant(1)).init_weights()
    finally:
        package.removeHandler(handler)
        handler.close()
    text = path.read_text()
    assert text.count("as initialised") == 1
    assert "child.linear.weight - (2, 2): init_cfg ConstantInit" in text


def test_a_failing_recipe_leaves_no_record_behind() -> None:
    model = Parent({"type": "Constant", "val": 1, "override": {"name": "missing"}})
    with pytest.raises(Exception, match="names 'missing'"):
        model.init_weights()
    assert not hasattr(model, "_params_init_info")
