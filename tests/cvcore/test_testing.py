"""The questions that tests ask answer yes to what they should, and no to the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cvcore.testing import (
    assert_attrs_equal,
    assert_dict_contains_subset,
    assert_dict_has_keys,
    assert_is_norm_layer,
    assert_keys_equal,
    assert_params_all_zeros,
    check_python_script,
)


def test_a_script_runs_with_the_arguments_of_its_command(tmp_path: Path) -> None:
    script = tmp_path / "write.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "if __name__ == '__main__':\n    Path(sys.argv[1]).write_text(sys.argv[2])\n"
        "    sys.exit()\n"
    )
    written = tmp_path / "out.txt"
    check_python_script(f"python {script} {written} 'two words'")
    assert written.read_text() == "two words"


def test_a_script_that_fails_fails_the_check(tmp_path: Path) -> None:
    script = tmp_path / "fail.py"
    script.write_text("raise SystemExit(3)")
    with pytest.raises(SystemExit, match="3"):
        check_python_script(f"{script}")


def test_a_subset_has_equal_values_arrays_included() -> None:
    whole = {"a": 1, "b": np.arange(3), "c": torch.ones(2), "d": (1, 2)}
    assert assert_dict_contains_subset(whole, {"a": 1, "b": np.arange(3), "c": torch.ones(2)})
    assert assert_dict_contains_subset(whole, {"d": (1, 2)})
    assert not assert_dict_contains_subset(whole, {"a": 2})
    assert not assert_dict_contains_subset(whole, {"b": np.array([0, 1, 3])})
    assert not assert_dict_contains_subset(whole, {"b": np.arange(1)})
    assert not assert_dict_contains_subset(whole, {"e": None})


def test_attributes_must_be_there_and_equal() -> None:
    thing = SimpleNamespace(a=1, b=[2])
    assert assert_attrs_equal(thing, {"a": 1, "b": [2]})
    assert not assert_attrs_equal(thing, {"a": 2})
    assert not assert_attrs_equal(thing, {"c": None})


def test_keys_are_contained_or_equal() -> None:
    assert assert_dict_has_keys({"a": 1, "b": 2}, ["a"])
    assert not assert_dict_has_keys({"a": 1}, ["a", "b"])
    assert assert_keys_equal({"a": 1, "b": 2}, ["b", "a"])
    assert not assert_keys_equal(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.BatchNorm2d(2), True),
        (nn.SyncBatchNorm(2), True),
        (nn.GroupNorm(1, 2), True),
        (nn.LayerNorm(2), True),
        (nn.InstanceNorm1d(2), True),
        (nn.Conv2d(1, 1, 1), False),
    ],
)
def test_norm_layers_are_known(layer: nn.Module, expected: bool) -> None:
    assert assert_is_norm_layer(layer) is expected


def test_zeros_are_zeros_in_weight_and_bias() -> None:
    layer = nn.Linear(2, 3)
    nn.init.zeros_(layer.weight)
    nn.init.ones_(layer.bias)
    assert not assert_params_all_zeros(layer)
    nn.init.zeros_(layer.bias)
    assert assert_params_all_zeros(layer)
    assert not assert_params_all_zeros(nn.ReLU())  # has nothing that could be zero
