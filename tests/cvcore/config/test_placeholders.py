"""``{{ ... }}`` in texts and ``${key}`` in values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cvcore.config import Config, interpolate
from cvcore.errors import ConfigError


def read(folder: Path, text: str, name: str = "run.py", **options: Any) -> Config:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return Config.fromfile(path, **options)


def test_the_file_knows_its_own_name(tmp_path: Path) -> None:
    names = "a = '{{ fileBasename }}|{{fileBasenameNoExtension}}|{{ fileExtname }}'"
    config = read(tmp_path, f"{names}\nb = {{{{ fileDirname }}}}")
    assert config.to_dict() == {"a": "run.py|run|.py", "b": tmp_path.as_posix()}


def test_file_names_can_be_left_as_they_stand(tmp_path: Path) -> None:
    config = read(tmp_path, "a = '{{ fileBasename }}'", use_predefined_variables=False)
    assert config.a == "{{ fileBasename }}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.py", "_base_ = 'base.py'\na = {{ _base_.m.x }}\nb = 'x is {{ _base_.m.x.1 }}'"),
        ("run.toml", '_base_ = "base.py"\na = {{ _base_.m.x }}\nb = "x is {{ _base_.m.x.1 }}"'),
        (
            "run.toml",
            "_base_ = 'base.py'\na = '{{ _base_.m.x }}' # it's\nb = 'x is {{_base_.m.x.1}}'",
        ),
        (
            "run.json",
            '{"_base_": "base.py", "a": {{ _base_.m.x }}, "b": "x is {{ _base_.m.x.1 }}"}',
        ),
    ],
)
def test_a_value_of_a_base_keeps_its_type(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "base.py").write_text("m = dict(x=[1, 'two'])", encoding="utf-8")
    config = read(tmp_path, text, name)
    assert config.to_dict() == {"m": {"x": [1, "two"]}, "a": [1, "two"], "b": "x is two"}


def test_a_value_of_a_base_takes_part_in_expressions(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("n = 80\nkeys = ['a']", encoding="utf-8")
    text = "_base_ = ['base.py']\nm = {{ _base_.n }} // 2 + 1\nkeys = {{ _base_.keys }} + ['b']"
    for trust in (False, True):
        config = read(tmp_path, text, trust=trust)
        assert config.to_dict() == {"n": 80, "keys": ["a", "b"], "m": 41}


def test_an_absent_value_of_a_base_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("model = dict(neck=1)", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.py.*no 'nek' in 'model\.nek'; nearest: 'neck'"):
        read(tmp_path, "_base_ = 'base.py'\na = {{ _base_.model.nek }}")


@pytest.mark.parametrize(
    ("value", "bare", "quoted"),
    [("3", 3, "3"), ("[1, 2]", [1, 2], "[1, 2]"), ("None", None, "None"), ("a b", "a b", "a b")],
)
@pytest.mark.parametrize("suffix", [".py", ".toml"])
def test_an_environment_variable_is_a_literal_only_outside_quotes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    value: str,
    bare: Any,
    quoted: str,
) -> None:
    monkeypatch.setenv("CVCORE_TEST_VALUE", value)
    text = 'a = {{ $CVCORE_TEST_VALUE }}\nb = "{{ $CVCORE_TEST_VALUE }}"'
    config = read(tmp_path, text, f"run{suffix}")
    assert config.to_dict() == {"a": bare, "b": quoted}


def test_an_environment_variable_may_have_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CVCORE_TEST_ROOT", raising=False)
    config = read(
        tmp_path, "a = '{{ $CVCORE_TEST_ROOT:/data/x }}/train'\nb = {{ $CVCORE_TEST_ROOT:2 }}"
    )
    assert config.to_dict() == {"a": "/data/x/train", "b": 2}
    with pytest.raises(ConfigError, match="variable 'CVCORE_TEST_ROOT' is not set"):
        read(tmp_path, "a = '{{ $CVCORE_TEST_ROOT }}'")


def test_an_environment_variable_cannot_bring_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "__import__('os').getcwd()"
    monkeypatch.setenv("CVCORE_TEST_VALUE", code)
    assert read(tmp_path, "a = {{ $CVCORE_TEST_VALUE }}").a == code


def test_other_double_braces_are_left_alone(tmp_path: Path) -> None:
    config = read(tmp_path, "a = '{{ x }}'\nb = f'{{{1}}}'\nc = {1: {2: {}}}")
    assert config.to_dict() == {"a": "{{ x }}", "b": "{1}", "c": {1: {2: {}}}}


def test_a_reference_alone_takes_the_value_and_inside_a_text_its_text() -> None:
    tree = {"n": 8, "m": {"x": [1, {"y": "${n}"}]}, "a": "${m.x}", "b": ("n=${n}/${m.x.0}",)}
    assert interpolate(tree) == {
        "n": 8,
        "m": {"x": [1, {"y": 8}]},
        "a": [1, {"y": 8}],
        "b": ("n=8/1",),
    }


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"name": 1, "a": "${nme}"}, r"\$\{nme\}: there is no 'nme' in 'nme'; nearest: 'name'"),
        ({"a": "${b}", "b": "${a}"}, r"leads back to itself: (a -> b -> a|b -> a -> b)"),
        ({"a": [1], "b": "x${a}"}, r"\$\{a\} is a list inside 'x\$\{a\}'"),
        (
            {f"k{i}": [f"${{k{i + 1}}}"] * 2 for i in range(40)} | {"k40": 1},
            "takes more than",
        ),
    ],
)
def test_a_reference_that_cannot_be_meant_is_an_error(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        interpolate(tree)


def test_references_see_overrides(tmp_path: Path) -> None:
    config = read(tmp_path, "a = 1\nb = '${a}'", overrides={"a": 5})
    assert config.to_dict() == {"a": 5, "b": 5}
