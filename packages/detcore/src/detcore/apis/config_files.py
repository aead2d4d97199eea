"""Find a config by its path or by its bare name, and read it ready for use."""

from __future__ import annotations

import copy
import difflib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import detcore
from cvcore import Config
from cvcore.config import interpolate
from detcore.compat import upgrade_config
from detcore.errors import DetcoreError

SUFFIXES = (".py", ".toml", ".json")
# The environment variables that say where the data is, the first one first.
DATA_ROOT_VARIABLES = ("DETCORE_DATASETS", "MMDET_DATASETS")
INHERITED = {"_base_", "common"}  # folders of what configs inherit from


def configs_root() -> Path:
    """The folder of configs that comes with the package."""
    return Path(detcore.__file__).parent / "configs"


def list_configs() -> list[Path]:
    """Every config of the package that stands for a whole run, sorted."""
    root = configs_root()
    found = (path for path in root.rglob("*") if path.suffix in SUFFIXES)
    return sorted(path for path in found if not INHERITED & {*path.relative_to(root).parts})


def find_config(name: str | os.PathLike[str]) -> Path:
    """Resolve a path, or a bare name such as ``mask_rcnn_r50_fpn_1x_coco``.

    Raises:
        DetcoreError: Neither a file nor a name of the package; the nearest names are listed.
    """
    path = Path(name)
    if path.is_file():
        return path
    inside = configs_root() / (
        path.relative_to("configs") if path.parts[:1] == ("configs",) else path
    )
    if inside.is_file():
        return inside
    known = {config.stem: config for config in list_configs()}
    stem = path.stem if path.suffix in SUFFIXES else path.name
    if path.parent == Path() and stem in known:
        return known[stem]
    near = difflib.get_close_matches(stem, known, n=3)
    raise DetcoreError(
        f"no config {str(name)!r}: there is no such file, and detcore ships none of that name; "
        + (f"nearest: {', '.join(near)}" if near else "detcore zoo list shows all")
    )


def read_config(
    name: str | os.PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> Config:
    """Read a config with its overrides, data root and old keys settled.

    Args:
        name: A path or a bare name.
        overrides: Dotted keys and their values, as ``--cfg-options`` gives them.
        trust: Run a ``.py`` config as Python instead of reading it as data.
    """
    cfg = Config.fromfile(find_config(name), trust=trust, overrides=overrides)
    update_data_root(cfg)
    upgrade_config(cfg)
    return cfg


def update_data_root(cfg: Config, logger: logging.Logger | None = None) -> None:
    """Take the data from where ``DETCORE_DATASETS`` (or ``MMDET_DATASETS``) says, in place.

    Args:
        cfg: A whole config; without a ``data_root`` it is left alone.
        logger: Is told of a change.
    """
    name = next((each for each in DATA_ROOT_VARIABLES if os.environ.get(each)), None)
    if name is None or "data_root" not in cfg:
        return
    old = cfg["data_root"]
    move_data_root(cfg, os.environ[name])
    if logger is not None:
        logger.info("data_root %s becomes %s, as %s says", old, cfg["data_root"], name)


def replace_cfg_vals(ori_cfg: Config) -> Config:
    """A copy of a config in which every ``${key}`` is replaced by the value of that key.

    Configs that were read from a file have it done already.
    """
    values = interpolate(ori_cfg.to_dict(), str(ori_cfg.filename or "config"))
    return Config(values, cfg_text=ori_cfg.text, filename=ori_cfg.filename)


def compat_cfg(cfg: Config) -> Config:
    """A copy of a config with the keys of earlier versions brought to today's."""
    upgraded = copy.deepcopy(cfg)
    upgrade_config(upgraded)
    return upgraded


def move_data_root(cfg: Config, root: str | None) -> None:
    """Replace ``cfg.data_root`` by ``root`` in every string of ``cfg.data``, in place."""
    if not root or "data_root" not in cfg:
        return
    old, new = cfg["data_root"], root if root.endswith("/") else f"{root}/"
    cfg["data"] = _replaced(cfg["data"], old, new)
    cfg["data_root"] = new


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return type(value)({key: _replaced(item, old, new) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(item, old, new) for item in value)
    return value
