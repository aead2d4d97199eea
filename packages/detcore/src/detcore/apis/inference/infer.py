"""A detector from its files, and its detections on pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from cvcore import Config
from cvcore.config import import_custom_modules
from cvcore.image import imread
from cvcore.parallel import collate, scatter
from cvcore.runner import init_searched_model, load_checkpoint
from detcore.apis.classes import names_in_checkpoint, needs_names, settle_classes
from detcore.apis.config_files import read_config
from detcore.apis.device import choose_device, device_of
from detcore.datasets import replace_ImageToTensor
from detcore.datasets.build import test_pipeline
from detcore.datasets.transforms import Compose
from detcore.errors import DetcoreError
from detcore.evaluation import get_classes
from detcore.export import is_exported, load_exported
from detcore.models import build_detector
from detcore.visualization import draw_to_file

Picture: TypeAlias = str | Path | np.ndarray


def init_detector(
    config: str | Path | Config | None,
    checkpoint: str | Path | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a detector and load its weights, ready to use.

    Args:
        config: A config, its path or its bare name; None takes the one inside ``checkpoint``.
        checkpoint: Path or URL of the weights; without it they stay random. Or a file that
            ``detcore export`` wrote, which needs no config.
        device: Such as ``cpu`` or ``cuda:0``; CUDA where there is one by default.
        cfg_options: Dotted keys that override the config.

    Returns:
        The detector in evaluation mode, with ``cfg`` and ``CLASSES`` set.

    Raises:
        DetcoreError: There is no config to be had.
    """
    if checkpoint is not None and is_exported(checkpoint):
        cfg = None if config is None else _config_of(config, checkpoint, cfg_options)
        return load_exported(checkpoint, choose_device(device), cfg)
    cfg = _config_of(config, checkpoint, cfg_options)
    import_custom_modules(cfg)
    if needs_names(cfg):
        settle_classes(cfg, names_in_checkpoint(checkpoint) if checkpoint else None)
    for pretrained in (cfg["model"], cfg["model"].get("backbone", {})):
        # The checkpoint has every weight; those that training began with are not fetched.
        if "pretrained" in pretrained:
            pretrained["pretrained"] = None
        if "init_cfg" in pretrained:
            pretrained["init_cfg"] = None
    cfg["model"]["train_cfg"] = None
    model = build_detector(cfg["model"], test_cfg=cfg.get("test_cfg"))
    init_searched_model(model, cfg.get("custom_hooks"))
    model.CLASSES = None
    if checkpoint is not None:
        loaded = load_checkpoint(model, str(checkpoint), map_location="cpu")
        model.CLASSES = loaded.get("meta", {}).get("CLASSES")
    if model.CLASSES is None:
        model.CLASSES = get_classes("coco")
    model.cfg = cfg
    return model.to(choose_device(device)).eval()


def _config_of(
    config: str | Path | Config | None,
    checkpoint: str | Path | None,
    overrides: Mapping[str, Any] | None,
) -> Config:
    if config is None:
        return config_in_checkpoint(checkpoint, overrides)
    if isinstance(config, (str, Path)):
        return read_config(config, overrides)
    cfg = deepcopy(config)
    if overrides:
        cfg.merge_from_dict(dict(overrides))
    return cfg


def config_in_checkpoint(
    checkpoint: str | Path | None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """The config that a checkpoint was trained with, read from the checkpoint as data.

    Raises:
        DetcoreError: The checkpoint holds none.
    """
    from cvcore.runner import CheckpointLoader

    if checkpoint is None:
        raise DetcoreError("init_detector needs a config or a checkpoint that holds one")
    meta = CheckpointLoader.load_checkpoint(str(checkpoint), map_location="cpu").get("meta", {})
    text = meta.get("config")
    if not text:
        raise DetcoreError(f"{checkpoint} holds no config: give the config it was trained with")
    cfg = Config.fromstring(text, ".py")
    if overrides:
        cfg.merge_from_dict(dict(overrides))
    return cfg


@torch.no_grad()
def inference_detector(model: nn.Module, imgs: Picture | Sequence[Picture]) -> Any:
    """Detections on one picture or on several in one batch.

    Args:
        model: From :func:`init_detector`.
        imgs: A path, a (h, w, 3) uint8 BGR array, or a list of these.

    Returns:
        Per picture a list of (n, 5) float32 arrays, one a class: x1 y1 x2 y2 in pixels of the
        picture, and the score; with masks, a tuple of that and lists of (h, w) boolean arrays.
        A single picture gives its result alone.
    """
    if isinstance(imgs, (str, Path, np.ndarray)):
        return inference_detector(model, [imgs])[0]
    pictures = list(imgs)
    if not pictures:
        return []
    return model(return_loss=False, rescale=True, **prepare(model, pictures))


def prepare(model: nn.Module, pictures: list[Picture]) -> dict[str, Any]:
    """Run the test pipeline on pictures and put them into one batch on the model's device."""
    settings = deepcopy(test_pipeline(model.cfg))
    if isinstance(pictures[0], np.ndarray):
        settings[0] = {**settings[0], "type": "LoadImageFromWebcam"}
    pipeline = Compose(replace_ImageToTensor(settings))
    samples = [pipeline(_record(picture)) for picture in pictures]
    batch = collate(samples, samples_per_gpu=len(samples))
    data: dict[str, Any] = scatter(batch, [device_of(model)])[0]
    return data


def _record(picture: Picture) -> dict[str, Any]:
    if isinstance(picture, np.ndarray):
        return {"img": picture}
    return {"img_info": {"filename": str(picture)}, "img_prefix": None}


async def async_inference_detector(model: nn.Module, imgs: Picture | Sequence[Picture]) -> Any:
    """As :func:`inference_detector`, in a thread, so that an event loop goes on meanwhile."""
    return await asyncio.to_thread(inference_detector, model, imgs)


def show_result_pyplot(
    model: nn.Module,
    img: Picture,
    result: Any,
    score_thr: float = 0.3,
    title: str = "result",
    wait_time: float = 0,
    palette: Any = None,
    out_file: str | Path | None = None,
) -> np.ndarray:
    """Draw detections on a picture, show it in a viewer or write it to ``out_file``.

    Args:
        model: The detector; gives the class names.
        img: A path or a (h, w, 3) uint8 BGR array.
        result: What :func:`inference_detector` gave for it.
        score_thr: Detections below it are not drawn.
        title: Kept for callers that give it; a viewer of the system has its own title.
        wait_time: As ``title``.
        palette: One RGB colour a class; distinct ones by default.
        out_file: Where to write the picture; nothing is shown then.

    Returns:
        The picture drawn on, (h, w, 3) uint8 BGR.
    """
    image = img if isinstance(img, np.ndarray) else imread(img)
    target = Path(out_file) if out_file else None
    return draw_to_file(
        image,
        result,
        model.CLASSES,
        target,
        score_thr=score_thr,
        palette=palette,
        show=target is None,
    )
