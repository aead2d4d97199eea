from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cvcore import Config
from detcore.apis.config_files import (
    compat_cfg,
    find_config,
    list_configs,
    move_data_root,
    read_config,
    replace_cfg_vals,
    update_data_root,
)
from detcore.errors import DetcoreError


def test_a_bare_name_finds_the_shipped_config() -> None:
    assert find_config("mask_rcnn_r50_fpn_1x_coco").name == "mask_rcnn_r50_fpn_1x_coco.py"


def test_a_path_as_in_the_repository_finds_the_shipped_config_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_config("configs/bccd/faster_rcnn_r18_fpn_bccd.py")
    assert found.is_file()
    assert found.parent.name == "bccd"


def test_a_file_of_the_users_own_comes_before_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mask_rcnn_r50_fpn_1x_coco.py").write_text("a = 1")
    assert read_config("mask_rcnn_r50_fpn_1x_coco.py").a == 1


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(DetcoreError, match="nearest: mask_rcnn_r50_fpn_1x_coco"):
        find_config("mask_rcnn_r50_fpn_1x_cocoo")


@pytest.mark.parametrize("path", list_configs(), ids=lambda path: path.stem)
def test_every_shipped_config_reads_and_names_a_model_and_a_runner(path: Path) -> None:
    cfg = read_config(path)
    assert cfg.model.type
    assert cfg.runner.type in {"EpochBasedRunner", "IterBasedRunner"}
    assert "${" not in str(cfg.data)


def test_overrides_reach_what_refers_to_them() -> None:
    cfg = read_config("faster_rcnn_r18_fpn_bccd", {"data_root": "somewhere/"})
    assert cfg.data.train.data_root == "somewhere/"


def test_the_data_root_moves_in_every_string_below_data() -> None:
    cfg = Config(
        {
            "data_root": "data/coco/",
            "data": {"train": [{"ann_file": "data/coco/a.json"}], "val": {"img_prefix": "x/"}},
        }
    )
    move_data_root(cfg, "/mnt/coco")
    assert cfg.data.train[0].ann_file == "/mnt/coco/a.json"
    assert cfg.data.val.img_prefix == "x/"
    assert cfg.data_root == "/mnt/coco/"


@pytest.mark.parametrize("variable", ["DETCORE_DATASETS", "MMDET_DATASETS"])
def test_the_environment_says_where_the_data_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str
) -> None:
    for name in ("DETCORE_DATASETS", "MMDET_DATASETS"):
        monkeypatch.delenv(name, raising=False)
    cfg = read_config("faster_rcnn_r18_fpn_bccd")
    before = cfg.data_root
    update_data_root(cfg)
    assert cfg.data_root == before
    monkeypatch.setenv(variable, "/mnt/blood")
    with caplog.at_level("INFO"):
        update_data_root(cfg, logging.getLogger("test"))
    assert cfg.data.train.data_root == "/mnt/blood/"
    assert f"becomes /mnt/blood/, as {variable} says" in caplog.text
    assert read_config("faster_rcnn_r18_fpn_bccd").data_root == "/mnt/blood/"
    monkeypatch.setenv("DETCORE_DATASETS", "/first")
    assert read_config("faster_rcnn_r18_fpn_bccd").data_root == "/first/"


def test_references_are_replaced_and_old_keys_renamed_in_a_copy() -> None:
    cfg = Config({"a": {"b": 2}, "c": ["${a.b}", "x${a.b}"], "d": "${a}"})
    assert replace_cfg_vals(cfg).to_dict() == {"a": {"b": 2}, "c": [2, "x2"], "d": {"b": 2}}
    assert cfg.c == ["${a.b}", "x${a.b}"]
    old = Config({"total_epochs": 3, "data": {"imgs_per_gpu": 2}})
    new = compat_cfg(old)
    assert (new.runner.max_epochs, new.data.samples_per_gpu) == (3, 2)
    assert "runner" not in old
