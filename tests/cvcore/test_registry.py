"""Names that become objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

import cvcore.registry as registry_module
from cvcore.config import ConfigDict
from cvcore.errors import ArgumentError, CvcoreError, RegistryError
from cvcore.registry import Registry, build_from_cfg


class ResNet:
    def __init__(
        self, depth: int, out_indices: tuple[int, ...] = (3,), *, norm: Any = None
    ) -> None:
        if depth < 0:
            raise ValueError("depth is negative")
        self.depth, self.out_indices, self.norm = depth, out_indices, norm


@pytest.fixture
def backbones() -> Registry:
    registry = Registry("backbone", scope="here")
    registry.register_module(module=ResNet)
    return registry


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry_module, "_plugins_loaded", False)
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [])
    return


def test_a_class_registers_under_its_name_or_the_names_given(backbones: Registry) -> None:
    @backbones.register_module()
    class VGG:
        pass

    @backbones.register_module(name=["A", "B"])
    def make() -> None: ...

    @backbones.register_module
    class Plain:
        pass

    assert backbones.register_module("C", module=VGG) is VGG
    assert backbones.module_dict == {
        "ResNet": ResNet,
        "VGG": VGG,
        "A": make,
        "B": make,
        "Plain": Plain,
        "C": VGG,
    }
    assert len(backbones) == 6
    assert "VGG" in backbones
    assert "X" not in backbones
    assert 3 not in backbones


def test_a_name_is_taken_once_unless_forced(backbones: Registry) -> None:
    with pytest.raises(RegistryError, match=r"'ResNet' is registered already, as .*ResNet.*force"):
        backbones.register_module(name=["New", "ResNet"], module=dict)
    assert "New" not in backbones
    backbones.register_module(name="ResNet", force=True, module=dict)
    assert backbones.get("ResNet") is dict


def test_only_classes_and_functions_register_under_texts(backbones: Registry) -> None:
    with pytest.raises(TypeError, match="only a class or a function registers"):
        backbones.register_module(module=ResNet(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name must be a string or a sequence of strings"):
        backbones.register_module(name=[1])  # type: ignore[list-item]


def test_a_config_becomes_an_object(backbones: Registry) -> None:
    built = backbones.build({"type": "ResNet", "depth": 50, "norm": None})
    assert (type(built), built.depth, built.out_indices) == (ResNet, 50, (3,))
    cfg = ConfigDict(type=ResNet, depth=18)
    assert backbones.build(cfg, default_args={"depth": 1, "norm": "BN"}).__dict__ == {
        "depth": 18,
        "out_indices": (3,),
        "norm": "BN",
    }
    assert cfg == {"type": ResNet, "depth": 18}
    assert build_from_cfg({"depth": 3}, backbones, {"type": "ResNet"}).depth == 3


def test_what_is_built_already_passes_through(backbones: Registry) -> None:
    built = ResNet(50)
    assert backbones.build(built) is built
    assert backbones.build(None) is None


def test_an_unknown_name_says_what_is_near_and_where_was_looked() -> None:
    parent = Registry("model", scope="base")
    child = Registry("backbone", parent=parent, scope="here", packages=["json"])
    child.register_module(module=ResNet)
    with pytest.raises(RegistryError) as caught:
        child.build({"type": "resnt"})
    assert str(caught.value) == (
        "no backbone named 'resnt'; nearest: 'ResNet'. Looked in: 'backbone' (json), 'model' "
        "(scope base). Register it with @register_module() or list its module in custom_imports"
    )
    assert isinstance(caught.value, KeyError)
    assert child.get("resnt", None) is None


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "ResNet", "deph": 1}, "backbone ResNet has no argument 'deph'; nearest: 'depth'"),
        ({"type": "ResNet"}, "backbone ResNet needs the argument 'depth'; given: none"),
        ({"type": 3}, "'type' must be a name or a class, not 3"),
        ("ResNet", r"a backbone is given as dict\(type='ResNet', ...\), not as text"),
    ],
)
def test_arguments_are_checked_before_the_call(backbones: Registry, cfg: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        backbones.build(cfg)
    assert isinstance(caught.value, TypeError)


def test_a_config_without_a_type_is_an_error(backbones: Registry) -> None:
    with pytest.raises(RegistryError, match=r"a backbone has no key 'type': \{'depth': 1\}"):
        backbones.build({"depth": 1})


def test_arguments_that_pass_on_are_left_to_the_constructor(backbones: Registry) -> None:
    @backbones.register_module()
    class Sub(ResNet):
        def __init__(self, extra: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    assert backbones.build({"type": "Sub", "extra": 1, "depth": 2}).depth == 2
    with pytest.raises(
        ArgumentError, match="backbone Sub has no argument 'deph'; nearest: 'depth'"
    ):
        backbones.build({"type": "Sub", "extra": 1, "deph": 2})


def test_an_error_in_a_constructor_keeps_its_type_and_names_every_class(
    backbones: Registry,
) -> None:
    detectors = Registry("detector", scope="here")

    @detectors.register_module()
    class Detector:
        def __init__(self, backbone: dict[str, Any]) -> None:
            backbones.build(backbone)

    with pytest.raises(ValueError, match="depth is negative") as caught:
        detectors.build({"type": "Detector", "backbone": {"type": "ResNet", "depth": -1}})
    said = [*getattr(caught.value, "__notes__", []), str(caught.value)]
    for note in ("while building backbone ResNet", "while building detector Detector"):
        assert any(note in each for each in said)


@pytest.fixture
def family() -> dict[str, Registry]:
    """cvcore's models; detcore's below them with two roles; another package's beside detcore's."""
    core = Registry("model", scope="cvcore")
    det = Registry("model", parent=core, scope="detcore")
    backbone = Registry("backbone", parent=det, scope="detcore")
    neck = Registry("neck", parent=det, scope="detcore")
    cls = Registry("model", parent=core, scope="mmcls")
    for registry, name in ((core, "Conv"), (backbone, "ResNet"), (neck, "FPN"), (cls, "ResNet")):
        registry.register_module(module=type(f"{registry.scope}_{name}", (), {}), name=name)
    return {"core": core, "det": det, "backbone": backbone, "neck": neck, "cls": cls}


@pytest.mark.parametrize(
    ("start", "key", "found"),
    [
        ("backbone", "ResNet", "detcore_ResNet"),
        ("backbone", "Conv", "cvcore_Conv"),
        ("backbone", "FPN", "detcore_FPN"),
        ("det", "ResNet", "detcore_ResNet"),
        ("core", "detcore.ResNet", "detcore_ResNet"),
        ("core", "mmdet.FPN", "detcore_FPN"),
        ("core", "mmcls.ResNet", "mmcls_ResNet"),
        ("backbone", "mmcls.ResNet", "mmcls_ResNet"),
        ("backbone", "mmcv.Conv", "cvcore_Conv"),
        ("backbone", "detcore.Conv", "cvcore_Conv"),
        ("cls", "detcore.FPN", "detcore_FPN"),
    ],
)
def test_a_name_is_found_upwards_and_a_scope_from_anywhere(
    family: dict[str, Registry], start: str, key: str, found: str
) -> None:
    assert family[start].get(key).__name__ == found


def test_a_parent_looks_in_its_children_by_scope_only(family: dict[str, Registry]) -> None:
    with pytest.raises(RegistryError, match="no model named 'FPN'"):
        family["core"].get("FPN")
    with pytest.raises(RegistryError, match=r"No registry of scope 'mmseg'.*'cvcore', 'detcore'"):
        family["backbone"].get("mmseg.FCN")
    assert family["core"].children == {"detcore": family["det"], "mmcls": family["cls"]}


def test_two_children_of_one_scope_are_an_error(family: dict[str, Registry]) -> None:
    with pytest.raises(RegistryError, match="has a child of scope 'mmcls' already: 'model'"):
        Registry("other", parent=family["core"], scope="mmcls")


def test_the_way_of_building_is_inherited() -> None:
    def build(cfg: Any, registry: Registry, extra: int = 0) -> tuple[Any, str, int]:
        return cfg, registry.name, extra

    parent = Registry("model", build_func=build, scope="a")
    assert Registry("part", parent=parent, scope="b").build([1], extra=2) == ([1], "part", 2)
    assert Registry("part", parent=parent, scope="c", build_func=build_from_cfg).build([1]) == [1]


def test_a_scope_is_the_package_it_searches_or_is_made_in() -> None:
    assert Registry("x", packages=["cvcore.cnn"]).scope == "cvcore"
    assert Registry("x").scope == Registry.infer_scope() == __name__.split(".", maxsplit=1)[0]
    assert Registry.split_scope_key("mmdet.a.b") == ("detcore", "a.b")
    assert Registry.split_scope_key("Name") == (None, "Name")


def make_package(folder: Path, name: str, text: str) -> None:
    (folder / name / "inner").mkdir(parents=True)
    for path in (folder / name / "__init__.py", folder / name / "inner" / "__init__.py"):
        path.write_text("", encoding="utf-8")
    (folder / name / "inner" / "parts.py").write_text(text, encoding="utf-8")


def test_packages_are_imported_on_the_first_unknown_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(
        tmp_path,
        "lazy_parts_x",
        "import sys\nREGISTRY = sys.modules['lazy_registry_x'].REGISTRY\n"
        "REGISTRY.get('Deep', None)\n"
        "@REGISTRY.register_module()\nclass Deep: pass\n",
    )
    registry = Registry("part", packages="lazy_parts_x")
    registry.register_module(module=ResNet)
    monkeypatch.syspath_prepend(tmp_path)
    holder = type(sys)("lazy_registry_x")
    holder.REGISTRY = registry  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lazy_registry_x", holder)
    assert registry.get("ResNet") is ResNet
    assert "lazy_parts_x" not in sys.modules
    assert registry.get("Deep").__name__ == "Deep"


def test_a_package_that_cannot_be_imported_says_so_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(tmp_path, "broken_parts_x", "raise OSError('no disk')")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("part", packages=["broken_parts_x"])
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            registry.get("Any")


def test_plugins_load_once_when_a_name_is_found_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbones: Registry
) -> None:
    (tmp_path / "good_plugin_x.py").write_text("loaded = []\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    asked: list[str] = []

    def entry_points(group: str) -> list[EntryPoint]:
        asked.append(group)
        backbones.register_module(name="FromPlugin", module=ResNet)
        values = {"good": "good_plugin_x:loaded", "bad": "no_such_plugin_x"}
        return [EntryPoint(name, value, group) for name, value in values.items()]

    monkeypatch.setattr(registry_module, "entry_points", entry_points)
    assert backbones.get("ResNet") is ResNet
    assert asked == []
    with pytest.warns(UserWarning, match=r"plugin 'bad' \(no_such_plugin_x\) cannot be loaded"):
        assert backbones.get("FromPlugin") is ResNet
    assert backbones.get("Unknown", None) is None
    assert asked == ["cvcore.plugins"]
    assert "good_plugin_x" in sys.modules


def test_every_error_is_of_the_project() -> None:
    assert issubclass(RegistryError, CvcoreError)
    assert issubclass(ArgumentError, CvcoreError)


def test_an_installed_package_registers_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(
        tmp_path,
        "swim_parts_x",
        "from cvcore.cnn import ACTIVATION_LAYERS\n"
        "from torch import nn\n"
        "@ACTIVATION_LAYERS.register_module()\n"
        "class SwimActivation(nn.ReLU): pass\n",
    )
    # What pip leaves of a wheel beside its package: metadata and entry points.
    information = tmp_path / "swim_parts_x-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: swim-parts-x\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[cvcore.plugins]\nswim = swim_parts_x.inner.parts\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry_module, "entry_points", entry_points)

    from cvcore.cnn import ACTIVATION_LAYERS, build_activation_layer

    try:
        assert type(build_activation_layer({"type": "SwimActivation"})).__name__ == "SwimActivation"
    finally:
        ACTIVATION_LAYERS.module_dict.pop("SwimActivation", None)
