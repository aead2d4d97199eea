"""Datasets from config dicts, and pipelines made from other pipelines."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from cvcore import Config
from detcore.datasets.wrappers import (
    ClassBalancedDataset,
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
)
from detcore.errors import OptionError
from detcore.registries import DATASETS

_WRAPPERS = {
    "RepeatDataset": RepeatDataset,
    "ClassBalancedDataset": ClassBalancedDataset,
    "MultiImageMixDataset": MultiImageMixDataset,
}
_PER_FILE = ("img_prefix", "seg_prefix", "proposal_file")
_LOADING = ("LoadImageFromFile", "LoadAnnotations", "LoadPanopticAnnotations")


def build_dataset(cfg: Any, default_args: Mapping[str, Any] | None = None) -> Any:
    """Build a dataset.

    Several datasets are joined: a list of configs, or one config with a list as ``ann_file`` (and,
    if need be, as ``img_prefix``, ``seg_prefix`` or ``proposal_file``).

    Args:
        cfg: A config, or a list of them; something built already is given back.
        default_args: Arguments for keys that the config does not set; in a wrapper they are for
            the dataset inside.
    """
    if isinstance(cfg, list | tuple):
        return ConcatDataset([build_dataset(each, default_args) for each in cfg])
    if not isinstance(cfg, Mapping):
        return cfg
    kind = cfg.get("type")
    if kind == "ConcatDataset":
        datasets = [build_dataset(each, default_args) for each in cfg["datasets"]]
        return ConcatDataset(datasets, cfg.get("separate_eval", True))
    if kind in _WRAPPERS:
        inner = build_dataset(cfg["dataset"], default_args)
        return DATASETS.build({**cfg, "dataset": inner})
    if isinstance(cfg.get("ann_file"), list | tuple):
        return _one_for_each_file(cfg, default_args)
    return DATASETS.build(cfg, default_args=default_args)


def _one_for_each_file(
    cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None
) -> ConcatDataset:
    arguments = dict(cfg)
    separate_eval = arguments.pop("separate_eval", True)
    files = arguments["ann_file"]
    datasets = []
    for number, file in enumerate(files):
        own = {**arguments, "ann_file": file}
        for key in _PER_FILE:
            values = arguments.get(key)
            if isinstance(values, list | tuple):
                if len(values) != len(files):
                    raise OptionError(
                        f"dataset: {len(files)} files in ann_file and {len(values)} in {key}; "
                        "give one for each, or a single one for all"
                    )
                own[key] = values[number]
        datasets.append(DATASETS.build(own, default_args=default_args))
    return ConcatDataset(datasets, separate_eval)


def replace_ImageToTensor(pipelines: Sequence[Mapping[str, Any]]) -> list[Any]:  # noqa: N802
    """A copy of a test pipeline for batches of several images.

    ``ImageToTensor`` stacks images of one size only; ``DefaultFormatBundle`` takes its place, also
    inside ``MultiScaleFlipAug``.
    """
    replaced: list[Any] = []
    for transform in copy.deepcopy(list(pipelines)):
        if transform["type"] == "MultiScaleFlipAug":
            transform["transforms"] = replace_ImageToTensor(transform["transforms"])  # type: ignore[index]
        elif transform["type"] == "ImageToTensor":
            replaced.append({"type": "DefaultFormatBundle"})
            continue
        replaced.append(transform)
    return replaced


def get_loading_pipeline(pipeline: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The transforms of a training pipeline that load the image and its annotations.

    Raises:
        OptionError: the pipeline does not load both.
    """
    loading = [transform for transform in pipeline if transform["type"] in _LOADING]
    if len(loading) != 2:
        raise OptionError(
            "the pipeline should begin with LoadImageFromFile and LoadAnnotations, and has "
            f"{[transform['type'] for transform in loading]}"
        )
    return loading


def test_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """The pipeline of ``cfg.data.test``, also where that is a dataset of datasets."""
    settings = cfg["data"]["test"]
    while isinstance(settings, list | tuple) or "pipeline" not in settings:
        if isinstance(settings, list | tuple):
            settings = settings[0]
        else:
            settings = settings.get("dataset") or settings["datasets"]
    pipeline: list[dict[str, Any]] = settings["pipeline"]
    return pipeline
