"""Config: values with the files they came from."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvcore.config import Config, ConfigDict
from cvcore.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "data" / "configs"


def test_it_behaves_as_its_dict_does() -> None:
    config = Config({"a": {"b": 1}, "c": 2})
    assert (config.a.b, config["a"]["b"], config.get("x", 3), len(config)) == (1, 1, 3, 2)
    assert (list(config), "a" in config, "x" in config) == (["a", "c"], True, False)
    config.d = {"e": 4}
    config["f"] = {"g": 5}
    config.update({"a": {"h": 6}})
    assert (config.d.e, config.f.g, config.a.to_dict()) == (4, 5, {"b": 1, "h": 6})
    assert (config.pop("c"), config.setdefault("i", 7)) == (2, 7)
    del config.d, config["f"]
    assert config.to_dict() == {"a": {"b": 1, "h": 6}, "i": 7}
    assert dict(config.items()) == config._cfg_dict
    assert isinstance(config.copy(), ConfigDict)
    assert {**config}["i"] == 7


def test_a_missing_key_names_the_nearest() -> None:
    with pytest.raises(AttributeError, match="no key 'modl'; nearest: 'model'"):
        _ = Config({"model": 1}).modl


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))]
)
def test_a_copy_remembers_its_files(copied: Callable[[Config], Config]) -> None:
    config = Config.fromfile(CONFIGS / "detector.py")
    other = copied(config)
    assert other.to_dict() == config.to_dict()
    assert (other.filename, other.text) == (config.filename, config.text)
    assert other.origin("model.neck") == config.origin("model.neck")
    other.new = 1
    assert "new" not in config


def test_the_pretty_text_reads_back() -> None:
    config = Config.fromfile(CONFIGS / "detector.py")
    assert Config.fromstring(config.pretty_text, ".py").to_dict() == config.to_dict()


def test_the_origin_of_a_missing_key_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"origin: there is no 'nck' in 'model\.nck'; .*'neck'"):
        Config.fromfile(CONFIGS / "detector.py").origin("model.nck")


def test_it_is_made_of_a_dict_without_reserved_keys() -> None:
    with pytest.raises(TypeError, match="must be a dict, not list"):
        Config([1])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'filename' is reserved"):
        Config({"filename": 1})


def test_a_parser_has_an_option_for_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(CONFIGS / "_base_" / "data.py")
    line = ["prog", path, "--data.samples_per_gpu", "7", "--data_root", "elsewhere/"]
    monkeypatch.setattr(sys, "argv", line)
    parser, config = Config.auto_argparser("a run")
    options = vars(parser.parse_args())
    assert (options["data.samples_per_gpu"], options["data_root"]) == (7, "elsewhere/")
    assert config.data.samples_per_gpu == 2
