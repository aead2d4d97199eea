"""The import path that MMCV users know."""

from __future__ import annotations

import cvcore.utils
from cvcore.config import Config
from cvcore.fileio import mkdir_or_exist
from cvcore.registry import Registry


def test_the_old_path_gives_the_same_objects() -> None:
    assert cvcore.utils.Config is Config
    assert cvcore.utils.Registry is Registry
    assert cvcore.utils.mkdir_or_exist is mkdir_or_exist


def test_every_name_of_the_top_that_lives_below_is_here_too() -> None:
    for name in cvcore.utils.__all__:
        assert getattr(cvcore.utils, name) is getattr(cvcore, name)
