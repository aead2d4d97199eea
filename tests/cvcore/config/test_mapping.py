"""ConfigDict: keys as attributes."""

from __future__ import annotations

import copy
import pickle

import pytest

from cvcore.config import ConfigDict


def test_keys_are_attributes_at_every_depth() -> None:
    cfg = ConfigDict(a={"b": [{"c": 1}], "t": ({"d": 2},)})
    assert (cfg.a.b[0].c, cfg.a.t[0].d) == (1, 2)
    cfg.a.e = {"f": 3}
    cfg["g"] = [{"h": 4}]
    assert (cfg.a.e.f, cfg.g[0].h) == (3, 4)
    del cfg.a
    assert "a" not in cfg


def test_a_missing_key_names_the_nearest() -> None:
    cfg = ConfigDict(pretrained=None)
    with pytest.raises(AttributeError, match="no key 'pretrain'; nearest: 'pretrained'"):
        _ = cfg.pretrain
    with pytest.raises(KeyError, match="nearest: 'pretrained'"):
        cfg["pretraned"]
    with pytest.raises(AttributeError, match="no key 'x'"):
        del cfg.x
    assert cfg.get("pretrain", 5) == 5
    assert not hasattr(cfg, "pretrain")


def test_a_key_named_like_a_method_needs_brackets() -> None:
    cfg = ConfigDict()
    with pytest.raises(AttributeError, match=r"set it as cfg\['items'\]"):
        cfg.items = 1
    cfg["items"] = 1
    assert list(cfg.items()) == [("items", 1)]


def test_made_of_another_it_shares_nothing() -> None:
    inner = ConfigDict(l=[1], d={"x": 1})
    outer = ConfigDict(inner)
    outer.l.append(2)
    outer.d.x = 2
    assert inner == {"l": [1], "d": {"x": 1}}


def test_what_is_set_is_kept_where_nothing_in_it_is_a_plain_dict() -> None:
    cfg, numbers, part = ConfigDict(), [1], ConfigDict(x=1)
    cfg.numbers, cfg.part, cfg.parts = numbers, part, [part]
    assert cfg.numbers is numbers
    assert cfg.part is part
    assert cfg.parts[0] is part


def test_update_merges_dicts() -> None:
    cfg = ConfigDict(a={"x": 1, "y": {"z": 2}}, b=1)
    cfg.update({"a": {"y": {"w": 3}}}, b={"q": 4})
    assert cfg == {"a": {"x": 1, "y": {"z": 2, "w": 3}}, "b": {"q": 4}}
    cfg |= {"a": {"n": 1}}
    assert cfg.a.n == 1
    assert "x" not in cfg.a
    assert isinstance((cfg | {"c": {"d": 1}}).c, ConfigDict)


def test_setdefault_gives_what_it_set() -> None:
    cfg = ConfigDict()
    cfg.setdefault("a", {"x": 1}).x = 2
    assert cfg.setdefault("a", None).x == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_deep_copy_is_equal_and_apart(copied: object) -> None:
    cfg = ConfigDict(a={"b": [{"c": 1}]})
    other = copied(cfg)  # type: ignore[operator]  # parametrized
    assert other == cfg
    assert type(other.a.b[0]) is ConfigDict
    other.a.b[0].c = 2
    assert cfg.a.b[0].c == 1


def test_a_copy_shares_what_is_inside() -> None:
    cfg = ConfigDict(a={"b": 1}, c=1)
    for other in (cfg.copy(), copy.copy(cfg)):
        other.c = 2
        assert other.a is cfg.a
    assert cfg.c == 1
    assert cfg.deepcopy().a is not cfg.a


def test_to_dict_is_plain_all_the_way_down() -> None:
    plain = ConfigDict(a=[{"b": ({"c": 1},)}]).to_dict()
    assert [type(plain), type(plain["a"][0]), type(plain["a"][0]["b"][0])] == [dict, dict, dict]
