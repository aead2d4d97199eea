"""A folder of annotated images and the name of a model, to a config that trains."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvcore import Config
from detcore.apis.checks import OTHER_COUNTS
from detcore.apis.config_files import find_config, list_configs, read_config
from detcore.datasets import build_dataset
from detcore.datasets.build import test_pipeline
from detcore.datasets.formats import FolderFormat, recognise
from detcore.datasets.formats.convert import Conversion, convert_folder
from detcore.datasets.formats.data_config import data_config
from detcore.errors import DetcoreError, OptionError

DEFAULT_MODEL = "faster_rcnn_r50_fpn"
TRAINED_AS_THEY_ARE = ("coco", "yolo", "voc")
HELD_OUT = 0.2  # of the images, where the folder has no validation set
MOST_WARM_UP = 0.1  # of all iterations
USUAL_ENDINGS = ("_1x_coco", "_coco", "_1x", "_2x_coco")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """What a person says of a run on own data; None leaves it to the model's config."""

    folder: str | Path
    model: str | Path = DEFAULT_MODEL  # a config, or its name with or without `_1x_coco`
    work_dir: str | Path | None = None  # work_dirs/MODEL_FOLDER by default
    epochs: int | None = None
    batch_size: int | None = None
    load_from: str | None = None  # weights to begin with
    overrides: Mapping[str, Any] | None = None  # dotted keys, which have the last word


def own_data_config(wish: OwnData, *, trust: bool = False) -> tuple[Config, list[str]]:
    """A config for the data of a folder, and lines that tell a person what was settled.

    A folder that is not divided, or in a format that is not trained on directly, is converted to
    COCO in ``WORK_DIR/data``, with links to the images; a fifth of them is held out.

    Args:
        wish: The folder, the model and so on.
        trust: Run a ``.py`` config as Python.

    Raises:
        AnnotationError: The folder is of no known format.
        DetcoreError: No config is named like the model.
    """
    for name in ("epochs", "batch_size"):
        if getattr(wish, name) is not None and getattr(wish, name) < 1:
            raise OptionError(f"{name} is a number from 1 on, not {getattr(wish, name)}")
    config = find_model(wish.model)
    cfg = read_config(config, trust=trust)
    folder = Path(wish.folder)
    cfg["work_dir"] = str(
        wish.work_dir or Path("work_dirs") / f"{config.stem}_{folder.resolve().name}"
    )
    found, lines = prepared(folder, Path(cfg["work_dir"]) / "data")
    _place_data(cfg, data_config(found))
    _leave_class_counts_to_the_data(cfg["model"], "model")
    if wish.batch_size:
        cfg["data"]["samples_per_gpu"] = wish.batch_size
    if wish.epochs:
        _set_epochs(cfg, wish.epochs)
    if wish.load_from:
        cfg["load_from"] = wish.load_from
    scaling = cfg.get("auto_scale_lr") or {}
    if scaling.get("base_batch_size"):
        cfg["auto_scale_lr"] = {**scaling, "enable": True}
    if wish.overrides:
        cfg.merge_from_dict(dict(wish.overrides))
    if "max_epochs" in cfg["runner"]:
        per_epoch = _iterations_of_an_epoch(cfg)
        lines += _shorten_warm_up(cfg, per_epoch)
        if "log_config.interval" not in (wish.overrides or {}):
            lines += _log_in_every_epoch(cfg, per_epoch)
        if "evaluation.interval" not in (wish.overrides or {}):
            lines += _evaluate_at_the_end(cfg)
    return cfg, lines


def find_model(name: str | Path) -> Path:
    """The config of a model's name; ``_1x_coco`` and its like may be left out.

    Raises:
        DetcoreError: There is none; the nearest are named.
    """
    known = {path.stem: path for path in list_configs()}
    for ending in ("", *USUAL_ENDINGS):
        if f"{name}{ending}" in known:
            return known[f"{name}{ending}"]
    if Path(name).suffix:
        return find_config(name)
    short = {stem.removesuffix(ending) for stem in known for ending in USUAL_ENDINGS}
    near = difflib.get_close_matches(str(name), sorted(short), n=3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise DetcoreError(f"no model {str(name)!r}{hint}; detcore zoo list shows all")


def prepared(folder: Path, target: Path) -> tuple[FolderFormat, list[str]]:
    """The folder's format, after a conversion into ``target`` where that is needed."""
    found = recognise(folder)
    lines = [f"data: {found}"]
    divided = "train" in found.splits and ("val" in found.splits or "test" in found.splits)
    if divided and found.name in TRAINED_AS_THEY_ARE:
        return found, lines
    if found.name == "images":
        raise DetcoreError(f"{folder}: images without annotations; there is nothing to learn from")
    how = Conversion(val_share=0.0 if divided else HELD_OUT)
    converted = convert_folder(folder, target, how)
    parts = ", ".join(f"{count} {split}" for split, count in converted.images.items())
    lines.append(f"converted to COCO in {target}: {parts} images")
    if not divided:
        lines.append(f"no validation set in {folder}: {HELD_OUT:.0%} of the images are held out")
    if converted.left_out:
        lines.append(str(converted.left_out))
    return recognise(target), lines


def _place_data(cfg: Config, pieces: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the folder's datasets in the place of the config's, with the config's pipelines."""
    pipelines = {"train": _leaf(cfg["data"]["train"])["pipeline"]}
    pipelines |= dict.fromkeys(("val", "test"), test_pipeline(cfg))
    mixing = cfg["data"]["train"] if "MultiImageMix" in cfg["data"]["train"]["type"] else None
    for split, piece in pieces.items():
        cfg["data"][split] = {**piece, "pipeline": pipelines[split]}
    if mixing is not None:
        cfg["data"]["train"] = {**mixing, "dataset": cfg["data"]["train"]}
    if pieces["train"]["type"] == "XMLDataset":
        cfg["evaluation"] = {**(cfg.get("evaluation") or {}), "metric": "mAP"}
    cfg["evaluation"] = {**(cfg.get("evaluation") or {}), "save_best": "auto"}


def _leaf(settings: Any) -> Any:
    """The innermost dataset of wrappers."""
    while "dataset" in settings or "datasets" in settings:
        settings = settings.get("dataset") or settings["datasets"][0]
    return settings


def _leave_class_counts_to_the_data(settings: Any, path: str) -> None:
    if isinstance(settings, (list, tuple)):
        for i, inner in enumerate(settings):
            _leave_class_counts_to_the_data(inner, f"{path}.{i}")
    elif isinstance(settings, Mapping):
        for name, value in list(settings.items()):
            if name == "num_classes" and _counts_boxes(path):
                settings[name] = "auto"  # type: ignore[index]  # a ConfigDict
            else:
                _leave_class_counts_to_the_data(value, f"{path}.{name}")


def _counts_boxes(path: str) -> bool:
    return "head" in path and not any(part in OTHER_COUNTS for part in path.split("."))


def _set_epochs(cfg: Config, epochs: int) -> None:
    """Another length of the run, with the steps of its schedule at the same parts of it."""
    runner, schedule = cfg["runner"], cfg["lr_config"]
    if "max_epochs" not in runner:
        cfg["runner"] = {"type": "EpochBasedRunner", "max_epochs": epochs}
        return
    share = epochs / runner["max_epochs"]
    runner["max_epochs"] = epochs
    step = schedule.get("step")
    if isinstance(step, (list, tuple)):
        schedule["step"] = [max(round(each * share), 1) for each in step]
    elif isinstance(step, int):
        schedule["step"] = max(round(step * share), 1)


def _iterations_of_an_epoch(cfg: Config) -> int:
    settings = {**_leaf(cfg["data"]["train"]), "pipeline": []}
    images = len(build_dataset(settings))
    return max(-(-images // cfg["data"].get("samples_per_gpu", 1)), 1)


def _shorten_warm_up(cfg: Config, per_epoch: int) -> list[str]:
    """Not more than a tenth of a run may be warm-up, or a small data set is never learned."""
    schedule = cfg["lr_config"]
    if not schedule.get("warmup") or schedule.get("warmup_by_epoch"):
        return []
    most = max(round(per_epoch * cfg["runner"]["max_epochs"] * MOST_WARM_UP), 1)
    before = schedule["warmup_iters"]
    if before <= most:
        return []
    schedule["warmup_iters"] = most
    unit = "iteration" if most == 1 else "iterations"
    return [f"warm-up: {most} {unit} instead of {before}, a tenth of the run"]


def _log_in_every_epoch(cfg: Config, per_epoch: int) -> list[str]:
    """A line of losses at the end of each epoch at least, or a small data set has no curve."""
    before = (cfg.get("log_config") or {}).get("interval", 0)
    if before <= per_epoch:
        return []
    cfg["log_config"]["interval"] = per_epoch
    return [f"losses are logged every {per_epoch} iterations, once an epoch, instead of {before}"]


def _evaluate_at_the_end(cfg: Config) -> list[str]:
    """The last epoch is evaluated too, or a run ends without figures of what it gave."""
    epochs, evaluation = cfg["runner"]["max_epochs"], cfg.get("evaluation") or {}
    before = evaluation.get("interval", 1)
    if not isinstance(before, int) or before < 1 or epochs % before == 0:
        return []
    interval = max(each for each in range(1, before + 1) if epochs % each == 0)
    cfg["evaluation"] = {**evaluation, "interval": interval}
    unit = "epoch" if interval == 1 else f"{interval} epochs"
    return [f"evaluation every {unit} instead of {before}, so that the last one is evaluated"]
