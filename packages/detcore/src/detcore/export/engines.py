"""What runs an exported file: onnxruntime, torch itself, OpenVINO."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvcore.errors import requires
from detcore.errors import ExportError
from detcore.export.metadata import Metadata
from detcore.export.program import INPUTS

EXTRA_FILE = "metadata.json"  # beside the graph in a .pt2 file


class Engine(ABC):
    """A graph that is loaded and ready, and what its file says of itself."""

    metadata: Metadata

    @abstractmethod
    def run(self, images: Tensor, shapes: Tensor) -> Sequence[Tensor]:
        """``dets``, ``labels`` and perhaps ``masks``, as ``DetectorProgram.forward`` gives them."""


class OnnxEngine(Engine):
    """onnxruntime, on CUDA where it was built for it and ``device`` says so.

    Raises:
        ExportError: the file is not one that detcore exported.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        onnxruntime = requires("onnxruntime", extra="export", distribution="detcore")
        providers = ["CPUExecutionProvider"]
        if device.type == "cuda":
            providers.insert(0, "CUDAExecutionProvider")
        available = set(onnxruntime.get_available_providers())
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=[name for name in providers if name in available]
            )
        except Exception as error:  # onnxruntime has a class for each fault, all of them its own
            raise ExportError(f"onnxruntime cannot load {path}: {error}") from error
        self.metadata = Metadata.from_texts(self._session.get_modelmeta().custom_metadata_map, path)

    def run(self, images: Tensor, shapes: Tensor) -> Sequence[Tensor]:
        """``dets``, ``labels`` and perhaps ``masks``."""
        feed = dict(zip(INPUTS, (_array(images), _array(shapes)), strict=True))
        return [torch.from_numpy(output) for output in self._session.run(None, feed)]


class TorchEngine(Engine):
    """A program that ``torch.export`` saved.

    Raises:
        ExportError: the file is not one that detcore exported.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        extra = {EXTRA_FILE: ""}
        try:
            program = torch.export.load(path, extra_files=extra)
        except (RuntimeError, ValueError, OSError) as error:
            raise ExportError(f"torch cannot load {path}: {error}") from error
        texts = json.loads(extra[EXTRA_FILE]) if extra[EXTRA_FILE] else {}
        self.metadata = Metadata.from_texts(texts, path)
        self._device = device
        self._module = program.module().to(device)

    @torch.no_grad()
    def run(self, images: Tensor, shapes: Tensor) -> Sequence[Tensor]:
        """``dets``, ``labels`` and perhaps ``masks``."""
        outputs = self._module(images.to(self._device), shapes.to(self._device))
        return [output.cpu() for output in outputs]


class OpenVinoEngine(Engine):
    """OpenVINO on the CPU.

    Raises:
        ExportError: the file is not one that detcore exported.
        MissingExtraError: openvino is not installed.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        openvino = requires("openvino", extra="openvino", distribution="detcore")
        core = openvino.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise ExportError(f"OpenVINO cannot load {path}: {error}") from error
        places = {field.name: ["detcore", field.name] for field in fields(Metadata)}
        texts = {
            name: model.get_rt_info(place).astype(str)
            for name, place in places.items()
            if model.has_rt_info(place)
        }
        self.metadata = Metadata.from_texts(texts, path)
        # Half precision is OpenVINO's own choice on some processors, and costs a tenth of a pixel.
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(self, images: Tensor, shapes: Tensor) -> Sequence[Tensor]:
        """``dets``, ``labels`` and perhaps ``masks``."""
        outputs = self._compiled([_array(images), _array(shapes)])
        return [torch.from_numpy(np.array(output)) for output in outputs.to_tuple()]


ENGINES: dict[str, type[Any]] = {
    ".onnx": OnnxEngine,
    ".pt2": TorchEngine,
    ".xml": OpenVinoEngine,
}


def is_exported(path: object) -> bool:
    """Whether a name is that of an exported file."""
    return Path(str(path)).suffix in ENGINES


def load_engine(path: str | Path, device: torch.device | None = None) -> Engine:
    """Load an exported file with what its ending says runs it.

    Raises:
        ExportError: the ending is none of ``ENGINES``, or the file cannot be used.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if path.suffix not in ENGINES:
        raise ExportError(f"{path}: exported files end in {', '.join(ENGINES)}")
    if not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    engine: Engine = ENGINES[path.suffix](path, device or torch.device("cpu"))
    return engine


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
