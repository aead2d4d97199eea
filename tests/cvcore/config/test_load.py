"""Files, and the files that they inherit from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cvcore.config import Config
from cvcore.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "data" / "configs"


def write(folder: Path, **texts: str) -> Path:
    """Files by name, ``__`` for the dot; the first is given back."""
    paths = [folder / name.replace("__", ".") for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths[0]


def test_a_config_is_the_sum_of_its_bases_and_its_own_lines() -> None:
    config = Config.fromfile(CONFIGS / "detector.py")
    assert config.model.to_dict() == {
        "type": "Detector",
        "backbone": {
            "type": "ResNet",
            "depth": 101,
            "out_indices": (0, 1, 2, 3),
            "norm_cfg": {"type": "BN"},
        },
        "neck": {"type": "FPN", "in_channels": [256, 512, 1024, 2048], "out_channels": 256},
        "head": {"type": "Head", "num_classes": 80, "loss": {"type": "CrossEntropyLoss"}},
    }
    assert config.optimizer.to_dict() == {
        "type": "SGD",
        "lr": 0.02,
        "paramwise_cfg": {
            "custom_keys": {
                "backbone.layer1": {"lr_mult": 0.1},
                "backbone.layer2": {"lr_mult": 0.2},
            }
        },
    }
    assert config.data.train.ann_file == "data/coco/train.json"
    assert config.work_dir == "./work_dirs/detector"
    assert list(config) == [
        *("num_classes", "model", "data_root", "pipeline", "data", "optimizer", "lr_config"),
        *("custom_keys", "work_dir"),
    ]


def test_placeholders_reach_bases_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DETECTOR_SAMPLES", raising=False)
    config = Config.fromfile(CONFIGS / "detector_large.py")
    assert (config.data.samples_per_gpu, config.optimizer.lr) == (4, 0.04)
    assert config.note == "4 images, lr 0.04"
    monkeypatch.setenv("DETECTOR_SAMPLES", "16")
    assert Config.fromfile(CONFIGS / "detector_large.py").data.samples_per_gpu == 16


def test_every_key_remembers_its_file() -> None:
    config = Config.fromfile(CONFIGS / "detector.py")
    names = {
        key: Path(config.origin(key)).name
        for key in (
            "model",
            "model.backbone.depth",
            "model.backbone.type",
            "model.head.loss.type",
            "optimizer.lr",
            "data.train.pipeline.1.scale",
        )
    }
    assert names == {
        "model": "model.py",
        "model.backbone.depth": "detector.py",
        "model.backbone.type": "model.py",
        "model.head.loss.type": "detector.py",
        "optimizer.lr": "schedule.toml",
        "data.train.pipeline.1.scale": "data.py",
    }


def test_changing_a_config_does_not_change_the_next_reading_of_its_file() -> None:
    first = Config.fromfile(CONFIGS / "detector.py")
    first.model.neck.in_channels.append(7)
    first.model.backbone.norm_cfg.type = "GN"
    first.data.train.pipeline[1].keep_ratio = False
    second = Config.fromfile(CONFIGS / "detector.py")
    assert second.model.neck.in_channels == [256, 512, 1024, 2048]
    assert second.model.backbone.norm_cfg.type == "BN"
    assert second.data.train.pipeline[1].keep_ratio is True


def test_parts_of_one_name_are_apart_in_the_config() -> None:
    config = Config.fromfile(CONFIGS / "detector.py")
    config.data.train.pipeline[0].type = "LoadOther"
    assert config.data.test.pipeline[0].type == "LoadImage"


def test_a_changed_base_is_read_again(tmp_path: Path) -> None:
    top = write(tmp_path, top__py="_base_ = 'base.py'", base__py="a = 1")
    assert Config.fromfile(top).a == 1
    base = write(tmp_path, base__py="a = 2")
    os.utime(base, (1, 1))
    assert Config.fromfile(top).a == 2


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", '{"_base_": "base.py", "a": {"x": 5}, "b": [1, null]}'),
        (".toml", '_base_ = "base.py"\nb = [1, "{{ None }}"]\n[a]\nx = 5\n'),
        (".yaml", "_base_: base.py\na: {x: 5}\nb: [1, null]\n"),
    ],
)
def test_data_formats_inherit_as_python_does(tmp_path: Path, suffix: str, text: str) -> None:
    if suffix == ".yaml":
        pytest.importorskip("yaml")
    write(tmp_path, base__py="a = dict(x=1, y=2)")
    path = tmp_path / f"top{suffix}"
    path.write_text(text, encoding="utf-8")
    assert Config.fromfile(path).to_dict() == {"a": {"x": 5, "y": 2}, "b": [1, None]}


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    canary = tmp_path / "canary"
    path = write(tmp_path, c__yaml=f"a: !!python/object/apply:os.mkdir ['{canary}']")
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        Config.fromfile(path)
    assert not canary.exists()


def test_a_python_config_is_not_run_unless_trusted(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    text = f"import os\nos.mkdir({str(canary)!r})\ndef helper():\n    pass\na = os.sep * 2\n"
    path = write(tmp_path, c__py=text)
    with pytest.raises(ConfigError, match=r"c\.py, line 1: an import .*trust"):
        Config.fromfile(path)
    assert not canary.exists()
    # The module and the function are no config.
    assert Config.fromfile(path, trust=True).to_dict() == {"a": os.sep * 2}
    assert canary.is_dir()


def test_a_trusted_config_that_fails_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, c__py="raise ValueError('broken')")
    with pytest.raises(ConfigError, match=r"c\.py failed while it ran: ValueError\('broken'\)"):
        Config.fromfile(path, trust=True)


def test_names_with_two_underscores_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, c__py="__hidden = 1\n_kept = __hidden + 1")
    assert Config.fromfile(path).to_dict() == {"_kept": 2}


def test_a_circle_of_bases_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path, a__py="_base_ = 'b.py'", b__py="_base_ = ['./c.py']", c__py="_base_='a.py'"
    )
    with pytest.raises(ConfigError, match=r"circle: .*a\.py -> .*b\.py -> .*c\.py -> .*a\.py"):
        Config.fromfile(path)


def test_a_chain_of_bases_has_an_end(tmp_path: Path) -> None:
    for index in range(1000):
        (tmp_path / f"c{index}.py").write_text(f"_base_ = 'c{index + 1}.py'", encoding="utf-8")
    with pytest.raises(ConfigError, match="more than 32 files inherit in a chain"):
        Config.fromfile(tmp_path / "c0.py")


def test_two_bases_that_set_one_key_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, top__py="_base_ = ['x.py', 'y.py']", x__py="a = 1", y__py="b = 2\na = 3")
    with pytest.raises(ConfigError, match=r"both set 'a': .*x\.py and .*y\.py"):
        Config.fromfile(path)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (
            "bse.py",
            r"bse\.py, which .*top\.py inherits from .* does not exist; nearest .*: base\.py",
        ),
        ("gone/base.py", r"there is no folder .*gone"),
        ("../../../../../../../../etc", r"is a folder|does not exist"),
        ("notes.txt", r"notes\.txt, which .*top\.py inherits .* suffix must be in"),
    ],
)
def test_a_base_that_is_no_config_is_named_with_its_heir(
    tmp_path: Path, base: str, message: str
) -> None:
    write(tmp_path, base__py="a = 1", notes__txt="a = 1")
    path = write(tmp_path, top__py=f"_base_ = {base!r}")
    with pytest.raises(ConfigError, match=message):
        Config.fromfile(path)


def test_a_missing_config_is_a_missing_file_with_near_names(tmp_path: Path) -> None:
    write(tmp_path, faster_rcnn__py="a = 1")
    with pytest.raises(FileNotFoundError, match=r"nearest in .*: faster_rcnn\.py"):
        Config.fromfile(tmp_path / "fastr_rcnn.py")


@pytest.mark.parametrize("base", ["3", "[1]", "dict(a=1)"])
def test_bases_must_be_paths(tmp_path: Path, base: str) -> None:
    path = write(tmp_path, top__py=f"_base_ = {base}")
    with pytest.raises(ConfigError, match="_base_ must be a path or a list of paths"):
        Config.fromfile(path)


def test_a_base_may_lie_in_an_installed_package(tmp_path: Path) -> None:
    path = write(tmp_path, top__py="_base_ = 'no_such_package_here::a.py'")
    with pytest.raises(ConfigError, match="no package 'no_such_package_here' is installed"):
        Config.fromfile(path)


def test_a_dict_over_something_else_asks_for_delete(tmp_path: Path) -> None:
    path = write(tmp_path, top__py="_base_ = 'b.py'\na = dict(x=dict(y=1))", b__py="a = dict(x=3)")
    with pytest.raises(ConfigError, match=r"top\.py: 'a\.x' is a dict here .*_delete_=True"):
        Config.fromfile(path)


def test_a_delete_with_nothing_to_delete_leaves_no_trace(tmp_path: Path) -> None:
    text = "_base_ = 'b.py'\na = dict(x=dict(_delete_=True, y=1))\nl = [dict(_delete_=True, z=1)]"
    path = write(tmp_path, top__py=text, b__py="a = dict(w=3)")
    assert Config.fromfile(path).to_dict() == {"a": {"w": 3, "x": {"y": 1}}, "l": [{"z": 1}]}


def test_a_deprecated_config_warns_and_says_what_to_use(tmp_path: Path) -> None:
    text = "_deprecation_ = dict(expected='new.py', reference='the changelog')\na = 1"
    path = write(tmp_path, old__py=text)
    with pytest.warns(DeprecationWarning, match=r"old\.py is deprecated; use new\.py; more at the"):
        config = Config.fromfile(path)
    assert config.to_dict() == {"a": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", "{"),
        ("c.json", "[1]"),
        ("c.toml", "a = "),
        ("c.py", "a = []\na.append(a)"),
        ("c.py", "a = [1] * 1000\nb = [a] * 1000\nc = [b] * 1000"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        Config.fromfile(path)


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    large = write(tmp_path, large__py="#" * (8 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="a config has at most"):
        Config.fromfile(large)
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        Config.fromfile(binary)


def test_the_text_holds_every_file_with_its_path() -> None:
    text = Config.fromfile(CONFIGS / "detector.py").text
    order = ["_base_/model.py", "_base_/data.py", "_base_/schedule.toml", "detector.py"]
    places = [text.index(f"{(CONFIGS / name)}\n") for name in order]
    assert places == sorted(places)
    assert 'policy = "step"' in text


@pytest.mark.parametrize(("suffix", "text"), [(".py", "a = dict(b=1)"), (".json", '{"a":{"b":1}}')])
def test_a_config_can_be_read_from_text(suffix: str, text: str) -> None:
    config = Config.fromstring(text, suffix)
    assert config.a.b == 1
    assert config.filename is None
    with pytest.raises(ConfigError, match=r"cannot read a config as '\.ini'"):
        Config.fromstring(text, ".ini")


def test_custom_imports_wait_to_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "imported"
    write(tmp_path, waiting_module_x__py=f"import os\nos.mkdir({str(canary)!r})")
    path = write(tmp_path, c__py="custom_imports = dict(imports=['waiting_module_x'])")
    monkeypatch.syspath_prepend(tmp_path)
    Config.fromfile(path, import_custom_modules=False).import_custom_modules()
    config = Config.fromfile(path)
    assert not canary.exists()
    config.import_custom_modules()
    assert canary.is_dir()


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ({"imports": ["no_such_module_x"]}, "cannot import 'no_such_module_x'"),
        ({"import": ["json"]}, r"must be dict\(imports="),
        (["json"], r"must be dict\(imports="),
    ],
)
def test_custom_imports_that_cannot_be_meant_are_errors(custom: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config({"custom_imports": json.loads(json.dumps(custom))}).import_custom_modules()


def test_a_custom_import_may_be_allowed_to_fail() -> None:
    config = Config({"custom_imports": {"imports": ["nope_x"], "allow_failed_imports": True}})
    with pytest.warns(UserWarning, match="cannot import 'nope_x', left out"):
        config.import_custom_modules()
