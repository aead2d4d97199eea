"""Which configs of a folder can be built here, and what the others lack."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from cvcore import Config, ops
from cvcore.cnn import registry as cnn_registries
from cvcore.errors import CvcoreError
from cvcore.registry import Registry
from cvcore.runner import registry as runner_registries
from detcore import registries as detcore_registries
from detcore.apis import hooks as detection_hooks
from detcore.compat import upgrade_config
from detcore.errors import DetcoreError
from detcore.models import build_detector

SUFFIXES = (".py", ".toml", ".json")
# A ``type`` below these keys names a way of doing, not a part: an initialiser, an adaptation.
WAYS = frozenset({"init_cfg", "adapt_cfg"})


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """What is known of one config; it is supported where ``problems`` is empty."""

    config: str  # path below the folder
    detector: str = ""
    parameters: int = 0
    unknown_types: list[str] = field(default_factory=list)  # of the model
    problems: list[str] = field(default_factory=list)  # why the model cannot be built
    unknown_elsewhere: list[str] = field(default_factory=list)  # of datasets, transforms, hooks

    @property
    def supported(self) -> bool:
        """Whether the model can be built."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "supported": self.supported}


def configs_in(folder: Path) -> list[Path]:
    """Every config of a folder that stands for a whole run, sorted.

    Raises:
        DetcoreError: The folder does not exist, is a file, or holds no config.
    """
    if not folder.is_dir():
        raise DetcoreError(f"{folder} is not a folder of configs")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and "_base_" not in path.relative_to(folder).parts
    )
    if not found:
        raise DetcoreError(f"{folder} holds no config ({', '.join(SUFFIXES)})")
    return found


def check_folder(folder: Path) -> Iterator[ZooEntry]:
    """Read every config of a folder and build its model without memory for the weights.

    Files without a ``model``, which others inherit from, are passed over.
    """
    for path in configs_in(folder):
        entry = check_config(path, str(path.relative_to(folder)))
        if entry is not None:
            yield entry


def check_config(path: Path, name: str) -> ZooEntry | None:
    """What is known of one config; None for a file that has no model."""
    try:
        cfg = Config.fromfile(path)
        if "model" not in cfg:
            return None
        upgrade_config(cfg)
    except CvcoreError as error:
        return ZooEntry(name, problems=[f"cannot be read: {_first_line(error)}"])
    model = cfg["model"]
    unknown = sorted(kind for kind in set(types_in(model)) if not is_known(kind))
    outside = {key: value for key, value in cfg.to_dict().items() if key != "model"}
    elsewhere = sorted(kind for kind in set(types_in(outside)) if not is_known(kind))
    detector = str(model.get("type", ""))
    if unknown:
        problems = [f"no {kind}" for kind in unknown]
        return ZooEntry(name, detector, 0, unknown, problems, elsewhere)
    count, problem = build_without_weights(cfg)
    return ZooEntry(name, detector, count, [], [problem] if problem else [], elsewhere)


def build_without_weights(cfg: Config) -> tuple[int, str]:
    """Build a config's model on the meta device.

    Returns:
        How many parameters it has, and why it could not be built; one of the two is empty.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            beside = {key: cfg.get(key) for key in ("train_cfg", "test_cfg")}
            if any(value is not None for value in beside.values()):
                warnings.simplefilter("ignore", UserWarning)
            model = build_detector(cfg["model"], **beside)
    except Exception as error:  # of constructors, which may raise anything
        return 0, f"{type(error).__name__}: {_first_line(error)}"
    return sum(parameter.numel() for parameter in model.parameters()), ""


def types_in(tree: Any) -> Iterator[str]:
    """Every ``type`` in a config that is a name."""
    if isinstance(tree, Mapping):
        kind = tree.get("type")
        if isinstance(kind, str):
            yield kind
        for key, value in tree.items():
            if key not in WAYS:
                yield from types_in(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from types_in(value)


@cache
def is_known(kind: str) -> bool:
    """Whether a name is registered for any role, or is a layer or function of ``cvcore.ops``."""
    is_part = hasattr(ops, kind) or hasattr(detection_hooks, kind)
    return is_part or any(kind in registry for registry in _all_registries())


def _all_registries() -> list[Registry]:
    modules = (detcore_registries, cnn_registries, runner_registries)
    return [
        value for module in modules for value in vars(module).values() if type(value) is Registry
    ]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
