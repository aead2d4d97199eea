from __future__ import annotations

import pytest

from cvcore import Config
from detcore.compat import upgrade_config
from detcore.errors import DetcoreError


def test_total_epochs_becomes_a_runner() -> None:
    cfg = Config({"total_epochs": 12})
    assert upgrade_config(cfg) == ["total_epochs = 12 became runner = dict(max_epochs=12)"]
    assert cfg.runner == {"type": "EpochBasedRunner", "max_epochs": 12}


def test_images_per_gpu_gets_its_new_name() -> None:
    cfg = Config({"data": {"imgs_per_gpu": 4}})
    assert upgrade_config(cfg) == ["data.imgs_per_gpu became data.samples_per_gpu"]
    assert cfg.data == {"samples_per_gpu": 4}


def test_a_config_of_today_is_left_alone() -> None:
    cfg = Config({"runner": {"type": "EpochBasedRunner", "max_epochs": 3}, "data": {}})
    assert upgrade_config(cfg) == []


def test_old_and_new_spelling_that_disagree_are_an_error() -> None:
    cfg = Config({"data": {"imgs_per_gpu": 4, "samples_per_gpu": 2}})
    with pytest.raises(DetcoreError, match=r"imgs_per_gpu = 4 and data\.samples_per_gpu = 2"):
        upgrade_config(cfg)
