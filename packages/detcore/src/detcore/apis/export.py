"""A detector to a file for other engines, and the proof that it finds the same there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from detcore.apis.inference.infer import inference_detector
from detcore.apis.inference.pictures import PictureInputs, load_pictures
from detcore.datasets.synthetic import draw_scene
from detcore.errors import ExportError, check_option
from detcore.export import WRITERS, Differences, compare, load_exported

_SCENE = (640, 480)  # width and height


def export_path(source: str | Path, file_format: str) -> Path:
    """Where an export goes that was given no name: beside its checkpoint or config."""
    check_option("export", "format", file_format, tuple(WRITERS))
    return Path(source).with_suffix(WRITERS[file_format][0])


def export_detector(detector: nn.Module, path: str | Path, file_format: str | None = None) -> Path:
    """Write a detector as ONNX, as a ``torch.export`` program or as an OpenVINO model.

    Args:
        detector: From ``init_detector``, on the CPU.
        path: The file to write.
        file_format: ``onnx``, ``torch`` or ``openvino``; by default what the ending says.

    Raises:
        ExportError: The detector cannot be exported, or the ending does not say how.
        MissingExtraError: A library that the format needs is not installed.
    """
    path = Path(path)
    endings = {ending: name for name, (ending, _) in WRITERS.items()}
    file_format = file_format or endings.get(path.suffix)
    if file_format is None:
        raise ExportError(f"{path}: name it {', '.join(endings)}, or give a format")
    check_option("export", "format", file_format, tuple(WRITERS))
    ending, write = WRITERS[file_format]
    if path.suffix != ending:
        raise ExportError(f"{path}: a file of format {file_format} ends in {ending}")
    return write(detector, path)


def verify_export(
    detector: nn.Module, path: str | Path, pictures: PictureInputs | None = None
) -> Differences:
    """Run an exported file and its detector on the same pictures, alone and in one batch.

    Args:
        detector: What was exported.
        path: The file.
        pictures: As for ``Detector.predict``; a drawn scene by default. A part of the first one
            joins it in a batch, so that a picture of another size is in it.

    Raises:
        ExportError: They are further apart than 0.1 pixel, 0.001 in score, or 1 % of a mask's
            pixels, in more than one of a hundred detections.
    """
    exported = load_exported(path)
    pixels = [each.pixels for each in load_pictures(pictures)] if pictures else [_scene()]
    height, width = pixels[0].shape[:2]
    part = np.ascontiguousarray(pixels[0][: height - height // 3, : width - width // 4])
    batches = [[each] for each in pixels] + [[pixels[0], part]]
    differences = compare(_results(detector, batches), _results(exported, batches))
    if not differences.agree:
        raise ExportError(f"{path} does not find what the detector finds: {differences}")
    return differences


def _results(detector: nn.Module, batches: Sequence[list[np.ndarray]]) -> list[Any]:
    return [result for batch in batches for result in inference_detector(detector, batch)]


def _scene() -> np.ndarray:
    """(h, w, 3) uint8 BGR: shapes on a ground, as ``detcore demo`` draws them."""
    image, _, _ = draw_scene(np.random.default_rng(0), _SCENE)
    return np.ascontiguousarray(image[:, :, ::-1])
