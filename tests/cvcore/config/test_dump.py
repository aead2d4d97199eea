"""Configs written to text, which reads back as the same config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvcore.config import Config
from cvcore.config.dump import dumps
from cvcore.config.merge import DELETE
from cvcore.errors import ConfigError

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# Placeholders and the mark that replaces a whole dict are gone once they have been followed.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30).filter(
    lambda text: "{{" not in text and "${" not in text and text != DELETE
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS
SCALARS |= st.floats(allow_nan=False)


def trees(with_tuples: bool) -> st.SearchStrategy[dict[str, Any]]:
    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        lists = st.lists(inner, max_size=4)
        below = lists | st.dictionaries(KEYS | TEXTS, inner, max_size=4)
        return below | lists.map(tuple) if with_tuples else below

    names = KEYS.map(lambda key: f"k_{key}")
    return st.dictionaries(names, st.recursive(SCALARS, extend, max_leaves=20), max_size=4)


@settings(max_examples=150, deadline=None)
@given(trees(with_tuples=True))
def test_python_reads_back_exactly(tree: dict[str, Any]) -> None:
    assert Config.fromstring(dumps(tree, ".py"), ".py").to_dict() == tree


@settings(max_examples=150, deadline=None)
@given(trees(with_tuples=False))
def test_toml_and_json_read_back_exactly_but_for_tuples(tree: dict[str, Any]) -> None:
    for suffix in (".toml", ".json"):
        assert Config.fromstring(dumps(tree, suffix), suffix).to_dict() == tree


def test_python_is_laid_out_to_be_read() -> None:
    tree = {
        "model": {
            "type": "Detector",
            "backbone": {"type": "ResNet", "depth": 50, "out_indices": (0, 1, 2, 3)},
            "head": {"type": "Head", "loss": {"type": "FocalLoss", "gamma": 2.0}, "one": (1,)},
        },
        "keys": {"backbone.layer1": {"lr_mult": 0.1}, "class": None},
    }
    assert dumps(tree, ".py") == (
        "model = dict(\n"
        "    type='Detector',\n"
        "    backbone=dict(type='ResNet', depth=50, out_indices=(0, 1, 2, 3)),\n"
        "    head=dict(type='Head', loss=dict(type='FocalLoss', gamma=2.0), one=(1,)),\n"
        ")\n"
        "keys = {'backbone.layer1': dict(lr_mult=0.1), 'class': None}\n"
    )


def test_toml_has_tables_for_dicts_and_a_placeholder_for_none() -> None:
    tree = {"a": 1, "m": {"x": None, "n": {"k.y": [{"z": True}]}}, "e": {}}
    assert dumps(tree, ".toml") == (
        'a = 1\n\n[m]\nx = "{{ None }}"\n\n[m.n]\n"k.y" = [{ z = true }]\n\n[e]\n'
    )


def test_infinity_and_sets_read_back_from_python() -> None:
    tree = {"ranges": ((-1, float("inf")),), "s": {1, 2}, "e": set()}
    assert Config.fromstring(dumps(tree, ".py"), ".py").to_dict() == tree


def test_yaml_reads_back() -> None:
    pytest.importorskip("yaml")
    tree = {"a": {"b": [1, None, "x: y"]}}
    assert Config.fromstring(dumps(tree, ".yml"), ".yml").to_dict() == tree


@pytest.mark.parametrize("name", ["c.py", "c.toml", "c.json"])
def test_a_config_is_written_in_the_format_of_the_suffix(tmp_path: Path, name: str) -> None:
    config = Config({"a": {"b": [1, 2]}, "c": None})
    assert config.dump(tmp_path / name) is None
    assert Config.fromfile(tmp_path / name).to_dict() == config.to_dict()


def test_without_a_file_the_text_is_in_the_format_that_was_read() -> None:
    assert Config({"a": 1}).dump() == "a = 1\n"
    assert Config({"a": 1}, filename="c.json").dump() == '{\n  "a": 1\n}\n'
    assert Config({"a": 1}, filename="c.toml").dump() == "a = 1\n"


@pytest.mark.parametrize(
    ("tree", "suffix", "message"),
    [
        ({"m": [{"x": object()}]}, ".py", r"'m\.0\.x' is a builtins\.object"),
        ({"m": {"x": int}}, ".json", r"'m\.x' is a builtins\.type"),
        ({"a-b": 1}, ".py", "'a-b' is no Python name"),
        ({"a": 1}, ".ini", r"cannot write a config as '\.ini'"),
    ],
)
def test_what_cannot_be_written_is_named(tree: dict[str, Any], suffix: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dumps(tree, suffix)
