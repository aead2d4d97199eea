"""Overrides from the command line."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from cvcore.config import Config, DictAction
from cvcore.config.override import expand, parse_value
from cvcore.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5e-3", -0.0015),
        ("true", True),
        ("False", False),
        ("None", None),
        ("plain text", "plain text"),
        ("a/b.py", "a/b.py"),
        ("", ""),
        ("'1'", "1"),
        ('"a,b"', "a,b"),
        ("don't", "don't"),
        ("a,b", ["a", "b"]),
        ("1,2.5,x", [1, 2.5, "x"]),
        ("[1,2]", [1, 2]),
        ("(1, 2)", (1, 2)),
        ("(1,)", (1,)),
        ("[]", []),
        ("[(a,b),(c,d)]", [("a", "b"), ("c", "d")]),
        ("(1,2),(3,4)", [(1, 2), (3, 4)]),
        ("[[1,[2]],'x,y']", [[1, [2]], "x,y"]),
    ],
)
def test_a_text_stands_for_a_value(text: str, value: Any) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text", ["[1,2", "(1,2]", "1)", "'a,b", "[(1,2]"])
def test_a_bracket_or_quote_without_a_partner_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"missing|not opened"):
        parse_value(text)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    made.add_argument("--cfg-options", nargs="+", action=DictAction)
    return made


def test_an_option_given_twice_adds_up() -> None:
    line = ["--cfg-options", "a=1", "b.c=x=y", "--cfg-options", "d.0.e=[1,2]", "a=2"]
    options = parser().parse_args(line).cfg_options
    assert options == {"a": 2, "b.c": "x=y", "d.0.e": [1, 2]}


@pytest.mark.parametrize("word", ["a", "=1", "a=[1"])
def test_a_word_that_is_no_key_and_value_is_an_error(word: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=r"key=value|is missing"):
        parser().parse_args(["--cfg-options", word])


def test_dotted_keys_become_a_tree() -> None:
    assert expand({"a.b": 1, "a.c.0": 2, "d": 3}) == {"a": {"b": 1, "c": {"0": 2}}, "d": 3}
    assert expand({"a": {"x": 1}, "a.y": 2}) == {"a": {"x": 1, "y": 2}}
    with pytest.raises(ConfigError, match=r"override 'a\.b': 'a' is set to a value as well"):
        expand({"a": 1, "a.b": 2})


def config() -> Config:
    return Config(
        {
            "lr": 0.1,
            "name": None,
            "flag": True,
            "model": {"depth": 50},
            "steps": [{"type": "A", "scale": (1, 2)}, {"type": "B"}],
        }
    )


def test_overrides_reach_dicts_and_items_of_lists() -> None:
    cfg = config()
    cfg.merge_from_dict({"model.depth": 101, "steps.0.scale.1": 5, "steps.1": {"p": 1}, "new.x": 1})
    assert cfg.model.depth == 101
    assert cfg.steps == [{"type": "A", "scale": (1, 5)}, {"type": "B", "p": 1}]
    assert cfg.new.x == 1
    assert cfg.origin("model.depth") == "override"
    assert cfg.origin("lr") == "<dict>"


def test_items_of_lists_are_out_of_reach_where_that_is_said() -> None:
    with pytest.raises(ConfigError, match="'steps' is a dict here and of type list"):
        config().merge_from_dict({"steps.0.type": "C"}, allow_list_keys=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": "fast"}, "the number 0.1 there; give a number"),
        ({"model": 3}, r"a dict there; name a key in it: model\.depth"),
        ({"steps.0.scale.0": "x"}, "the number 1 there"),
        ({"steps.7.type": "x"}, r"'steps\.7' is out of range"),
    ],
)
def test_an_override_of_the_wrong_kind_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config().merge_from_dict(options)


def test_an_override_may_change_an_empty_value_or_empty_a_value() -> None:
    cfg = config()
    cfg.merge_from_dict({"name": "x", "flag": "auto", "lr": None, "model": None, "steps": 3})
    assert cfg.to_dict() == {"lr": None, "name": "x", "flag": "auto", "model": None, "steps": 3}
