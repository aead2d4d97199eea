"""A detector in three lines: load, predict, save."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cvcore import Config
from detcore.apis.inference.infer import inference_detector, init_detector
from detcore.apis.inference.pictures import OnBad, PictureInputs, load_pictures
from detcore.apis.inference.predictions import Prediction, Predictions, prediction_of
from detcore.apis.own_data import DEFAULT_MODEL, OwnData, own_data_config
from detcore.apis.train.detector import get_root_logger
from detcore.apis.train.run import RunOptions, best_checkpoint, run_training
from detcore.errors import OptionError


class Detector:
    """A trained model, ready for pictures of any kind.

    Args:
        checkpoint: Path or address of a checkpoint, or a model from ``init_detector``.
        config: For a checkpoint that holds no config of its own: a path, a bare name, a Config.
        device: Such as ``cpu`` or ``cuda:0``; CUDA where there is one by default.

    Raises:
        DetcoreError: The checkpoint holds no config and none is given.
    """

    def __init__(
        self,
        checkpoint: str | Path | nn.Module,
        config: str | Path | Config | None = None,
        *,
        device: str | torch.device | None = None,
    ) -> None:
        if isinstance(checkpoint, nn.Module):
            self.model = checkpoint
        else:
            self.model = init_detector(config, checkpoint, device=device)

    @classmethod
    def train(
        cls,
        *,
        data: str | Path,
        model: str | Path = DEFAULT_MODEL,
        work_dir: str | Path | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        load_from: str | None = None,
        seed: int | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Detector:
        """Train a model on a folder of annotated images.

        Args:
            data: The folder; its format is recognised, its classes are read.
            model: A config, or its name with or without ``_1x_coco``.
            work_dir: For logs, checkpoints and the report; ``work_dirs/MODEL_FOLDER`` by default.
            epochs: Length of the run; the schedule is stretched to it.
            batch_size: Images in a batch; the learning rate is scaled to it.
            load_from: Weights to begin with.
            seed: Of everything random.
            overrides: Dotted config keys and their values, which have the last word.

        Returns:
            The detector with its best weights, or its last where none were best.
        """
        wish = OwnData(
            folder=data,
            model=model,
            work_dir=work_dir,
            epochs=epochs,
            batch_size=batch_size,
            load_from=load_from,
            overrides=overrides,
        )
        cfg, lines = own_data_config(wish)
        for line in lines:
            get_root_logger().info(line)
        run_training(cfg, RunOptions(seed=seed))
        return cls(best_checkpoint(cfg["work_dir"]))

    @property
    def class_names(self) -> list[str]:
        """Names of what it finds, in label order."""
        return list(self.model.CLASSES)

    def predict(
        self, pictures: PictureInputs, *, score_thr: float = 0.3, batch_size: int = 1
    ) -> Predictions:
        """Find the objects on one picture or many.

        Args:
            pictures: A path, a folder, a glob, an http(s) address, a BGR array as ``imread`` and
                OpenCV give it, a Pillow image, or a list of these.
            score_thr: Objects below this score are left out.
            batch_size: Pictures that go through the network together.

        Returns:
            One prediction a picture, also where there is a single picture; it keeps the pixels,
            so that for more pictures than fit into memory :meth:`stream` is the way.
        """
        found = self.stream(pictures, score_thr=score_thr, batch_size=batch_size)
        return Predictions(list(found))

    def stream(
        self,
        pictures: PictureInputs,
        *,
        score_thr: float = 0.3,
        batch_size: int = 1,
        on_bad: OnBad | None = None,
    ) -> Iterator[Prediction]:
        """As :meth:`predict`, one picture after the other, holding one batch at a time.

        Args:
            pictures: As of :meth:`predict`.
            score_thr: Objects below this score are left out.
            batch_size: Pictures that go through the network together.
            on_bad: Called with a picture that cannot be read, and why; it is then passed over.
        """
        if batch_size < 1:
            raise OptionError(f"batch_size is a number from 1 on, not {batch_size}")
        loaded = load_pictures(pictures, on_bad)
        while batch := list(islice(loaded, batch_size)):
            results = inference_detector(self.model, [picture.pixels for picture in batch])
            for picture, result in zip(batch, results, strict=True):
                yield prediction_of(
                    picture.pixels,
                    result,
                    self.class_names,
                    score_thr=score_thr,
                    source=picture.source,
                )
