"""Class names and their number, where a config leaves them to the data; and whether they agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvcore import Config
from cvcore.errors import ConfigError
from detcore.apis.checks import OTHER_COUNTS
from detcore.datasets import build_dataset
from detcore.errors import ClassMismatchError
from detcore.registries import DATASETS

AUTO = "auto"
SPLITS = ("train", "val", "test")
_COUNTS = ("num_classes", "num_things_classes", "num_stuff_classes")


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The classes of the data, things first."""

    names: Sequence[str]
    num_things: int | None = None  # None where the data does not tell things from stuff

    def number_for(self, key: str) -> int:
        """How many classes a key of the config, such as ``model.bbox_head.num_classes``, counts."""
        *parts, name = key.split(".")
        things = len(self.names) if self.num_things is None else self.num_things
        if name == "num_stuff_classes":
            return len(self.names) - things
        # Boxes and masks of regions are those of things.
        return things if name == "num_things_classes" or "roi_head" in parts else len(self.names)


def settle_classes(cfg: Config, names: Sequence[str] | None = None) -> None:
    """Put names and numbers in the place of every ``'auto'``, and check those that are given.

    ``classes='auto'`` of a dataset takes the names of the training annotations, so that training
    and evaluation number the classes alike. ``num_classes='auto'`` of any part of the model takes
    their number, as do ``num_things_classes`` and ``num_stuff_classes`` with panoptic data.

    Args:
        cfg: A whole config, changed in place.
        names: Class names that are known already, such as a checkpoint's; by default they are
            those of ``cfg.data.train``.

    Raises:
        ClassMismatchError: A number in the model is not that of the classes, or nothing says
            which classes there are.
    """
    counts = dict(_counts(cfg["model"], "model"))
    if needs_names(cfg):
        known = _source(cfg, names)
        for split in SPLITS:
            for settings in _autos(cfg.get("data", {}).get(split)):
                settings["classes"] = tuple(known.names)
        for key, value in counts.items():
            if value == AUTO:
                _set(cfg, key, known.number_for(key))
        check_counts(cfg, known)
        return
    stated = _names_without_reading(cfg.get("data", {}).get("train"))
    if stated is not None:
        check_counts(cfg, stated)


def check_counts(cfg: Config, classes: ClassNames) -> None:
    """Compare every ``num_classes`` of a config's model with the classes of the data.

    Raises:
        ClassMismatchError: One differs; both numbers and the line to change are named.
    """
    for key, value in _counts(cfg["model"], "model"):
        parts = key.split(".")
        if parts[-1] != "num_classes" or any(part in OTHER_COUNTS for part in parts):
            continue
        number = classes.number_for(key)
        if "head" not in key or not isinstance(value, int) or value == number:
            continue
        some = ", ".join(map(str, classes.names[:5])) + (", ..." if number > 5 else "")
        raise ClassMismatchError(
            f"{key} is {value}, but the data has {number} classes ({some}). "
            f"{_where(cfg, key, value)}: write {key}={number} there, or 'auto', or give the "
            f"dataset the {value} names with `classes`"
        )


def _where(cfg: Config, key: str, value: int) -> str:
    """Such as ``configs/a.py:12 sets it``."""
    try:
        origin = cfg.origin(key)
    except ConfigError:
        return "The config sets it"
    path = Path(origin)
    if not path.is_file():
        return f"It is set by {origin}"
    setting = re.compile(rf"num_classes['\"]?\s*[=:]\s*{value}\b")
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [i for i, line in enumerate(text.splitlines(), start=1) if setting.search(line)]
    return f"{origin}{':' if lines else ''}{' or '.join(map(str, lines))} sets it"


def names_in_checkpoint(checkpoint: str | Path) -> list[str] | None:
    """The class names that a checkpoint was trained with, if it says so."""
    from cvcore.runner import CheckpointLoader

    meta = CheckpointLoader.load_checkpoint(str(checkpoint), map_location="cpu").get("meta", {})
    names = meta.get("CLASSES")
    return None if names is None else list(names)


def needs_names(cfg: Config) -> bool:
    """Whether something in the config is left to the data."""
    counts = dict(_counts(cfg["model"], "model"))
    datasets = [each for split in SPLITS for each in _autos(cfg.get("data", {}).get(split))]
    return AUTO in counts.values() or bool(datasets)


def _counts(settings: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every count of classes."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            if name in _COUNTS:
                yield f"{key}.{name}", value
            else:
                yield from _counts(value, f"{key}.{name}")
    elif isinstance(settings, list | tuple):
        for i, value in enumerate(settings):
            yield from _counts(value, f"{key}.{i}")


def _set(cfg: Config, key: str, value: int) -> None:
    *parents, name = key.split(".")
    settings: Any = cfg
    for part in parents:
        settings = settings[int(part) if isinstance(settings, list | tuple) else part]
    settings[name] = value


def _autos(settings: Any) -> Iterator[Any]:
    """Every dataset's settings in which the classes are left to the data."""
    if isinstance(settings, list | tuple):
        for each in settings:
            yield from _autos(each)
    elif isinstance(settings, Mapping):
        if settings.get("classes") == AUTO:
            yield settings
        for key in ("dataset", "datasets"):
            yield from _autos(settings.get(key))


def _leaf(settings: Any) -> Any:
    """The settings of the first dataset that reads annotations."""
    if isinstance(settings, list | tuple):
        return _leaf(settings[0])
    for key in ("dataset", "datasets"):
        if isinstance(settings, Mapping) and key in settings:
            return _leaf(settings[key])
    return settings


def _names_without_reading(settings: Any) -> ClassNames | None:
    """Class names that stand in the config or belong to the type of dataset."""
    leaf = _leaf(settings) if settings else None
    if not isinstance(leaf, Mapping) or "type" not in leaf:
        return None
    kind = DATASETS.get(leaf["type"])
    given = leaf.get("classes")
    panoptic = hasattr(kind, "THING_CLASSES")
    if not hasattr(kind, "get_classes") or (panoptic and given is not None):
        return None  # which of the given names are things, only the file says
    names = kind.get_classes(given) if given is None or isinstance(given, str) else given
    if names is None or isinstance(names, str):
        return None
    return ClassNames(names, len(kind.THING_CLASSES) if panoptic else None)


def _source(cfg: Config, names: Sequence[str] | None) -> ClassNames:
    """The names of the checkpoint, or of the training annotations."""
    leaf = _leaf(cfg.get("data", {}).get("train"))
    panoptic = isinstance(leaf, Mapping) and hasattr(DATASETS.get(leaf["type"]), "THING_CLASSES")
    if names is not None and not panoptic:
        return ClassNames(names)
    if not isinstance(leaf, Mapping):
        raise ClassMismatchError(
            "classes or num_classes is 'auto', but there is no data.train to take the names from; "
            "set them in the config"
        )
    first = {key: value[0] if _is_list(key, value) else value for key, value in leaf.items()}
    # The pipeline plays no part, and no image is to be left out.
    dataset = build_dataset({**first, "pipeline": [], "test_mode": True})
    if dataset.CLASSES is None:
        raise ClassMismatchError(
            f"{dataset.ann_file} names no classes for 'auto' to take; set classes=('name', ...)"
        )
    return ClassNames(dataset.CLASSES, len(dataset.THING_CLASSES) if panoptic else None)


def _is_list(key: str, value: Any) -> bool:
    return key in ("ann_file", "img_prefix", "seg_prefix") and isinstance(value, list | tuple)
