"""A detector to a file: traced once by ``torch.export``, then written as what is asked for."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from cvcore.errors import requires
from detcore.errors import ExportError
from detcore.export.engines import EXTRA_FILE
from detcore.export.metadata import Metadata, describe
from detcore.export.operators import onnx_translations
from detcore.export.program import INPUTS, DetectorProgram
from detcore.export.support import check_support

# Traced on a batch of two of unequal sides: a size of one, or two that are equal, would be taken
# for constants. They suit the strides of every pyramid, up to 128.
SAMPLE = (2, 3, 256, 384)
OPSET = 18  # of ONNX; the oldest that the exporter writes, for the most engines read it
OPSET_OF_DEFORMABLE = 20  # DeformConv came with 19


def trace(detector: nn.Module) -> ExportedProgram:
    """The graph of a detector, for batches and pictures of any size.

    Args:
        detector: in evaluation mode, on the CPU.

    Raises:
        ExportError: a part of it has no place in a graph.
    """
    check_support(detector)
    program = DetectorProgram(detector).eval()
    images = torch.zeros(SAMPLE)
    shapes = torch.tensor([SAMPLE[2:]] * SAMPLE[0])
    dynamic = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}, {0: Dim.DYNAMIC})
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(
                program, (images, shapes), dynamic_shapes=dynamic, strict=False
            )
    except Exception as error:  # torch.export raises many classes, none of them common to all
        raise ExportError(
            f"torch.export cannot follow {type(detector).__name__}: {_first_line(error)}"
        ) from error


def write_onnx(detector: nn.Module, path: Path, program: ExportedProgram | None = None) -> Path:
    """Write a ``.onnx`` file by torch's exporter, suppression inside.

    Args:
        detector: from ``init_detector``.
        path: the file; weights beyond 2 GB go into a second one beside it.
        program: what :func:`trace` gave, if it was called before.

    Raises:
        ExportError: the detector, or a layer of it, cannot be exported.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    for module in ("onnx", "onnxscript"):
        requires(module, extra="export", distribution="detcore")
    metadata = describe(detector)
    program = program or trace(detector)
    outputs = DetectorProgram(detector).output_names
    try:
        with _quiet():
            written = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=_opset(program),
                input_names=list(INPUTS),
                output_names=list(outputs),
                custom_translation_table=onnx_translations(),
                verbose=False,
            )
    except Exception as error:  # the exporter's errors are not public classes
        raise ExportError(
            f"torch.onnx cannot translate {type(detector).__name__}: {_first_line(error)}"
        ) from error
    assert written is not None
    _name_axes(written.model.graph)
    written.model.metadata_props.update(metadata.to_texts())
    written.model.producer_name = "detcore"
    _in_place(path, written.save)
    return path


def write_program(detector: nn.Module, path: Path, program: ExportedProgram | None = None) -> Path:
    """Write a ``.pt2`` file, which ``torch.export.load`` reads after ``import detcore.export``.

    Raises:
        ExportError: the detector cannot be exported.
    """
    texts = describe(detector).to_texts()
    program = program or trace(detector)
    extra = {EXTRA_FILE: json.dumps(texts)}
    _in_place(path, lambda target: torch.export.save(program, target, extra_files=extra))
    return path


def write_openvino(detector: nn.Module, path: Path, program: ExportedProgram | None = None) -> Path:
    """Write a ``.xml`` file and its ``.bin``, made by OpenVINO from the ONNX.

    Raises:
        ExportError: the detector cannot be exported.
        MissingExtraError: onnx, onnxscript or openvino is not installed.
    """
    openvino = requires("openvino", extra="openvino", distribution="detcore")
    metadata: Metadata = describe(detector)
    with tempfile.TemporaryDirectory() as folder:
        model = openvino.convert_model(write_onnx(detector, Path(folder) / "model.onnx", program))
        for name, text in metadata.to_texts().items():
            model.set_rt_info(text, ["detcore", name])
        path.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(model, path, compress_to_fp16=False)
    return path


WRITERS: dict[str, tuple[str, Callable[..., Path]]] = {
    "onnx": (".onnx", write_onnx),
    "torch": (".pt2", write_program),
    "openvino": (".xml", write_openvino),
}


def _opset(program: ExportedProgram) -> int:
    deformable = any("deform_conv2d" in str(node.target) for node in program.graph.nodes)
    return OPSET_OF_DEFORMABLE if deformable else OPSET


def _in_place(path: Path, save: Callable[[Path], Any]) -> None:
    """Write beside the target and rename, so that a file is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        save(Path(folder) / path.name)
        for part in Path(folder).iterdir():  # a second file holds the weights of large models
            part.replace(path.parent / part.name)


def _name_axes(graph: Any) -> None:
    """Give the free sizes the names that people know, in place of the tracer's symbols."""
    images = graph.inputs[0].shape
    names = {str(images[axis]): name for axis, name in ((0, "batch"), (2, "height"), (3, "width"))}
    for value in (*graph.inputs, *graph.outputs):
        for axis, size in enumerate(value.shape):
            if str(size) in names:
                value.shape[axis] = names[str(size)]


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters tell of their progress and of deprecations among themselves."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        yield


def _first_line(error: BaseException) -> str:
    """The innermost cause in one line: exporters wrap their errors in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
