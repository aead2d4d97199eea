"""Reading a checkpoint file as data: nothing in it is ever executed."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import safe_globals

from cvcore.errors import CheckpointError, requires
from cvcore.runner.checkpoint.seal import damaged, verify_file

# How torch names what it refuses to look up.
GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """There is no such checkpoint file."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class Inert:
    """Stands in for a class that a file names and that its reader has no use for."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


def inert_attribute(*arguments: Any) -> Inert:
    """Stands in for ``getattr``, which a file may name: looks nothing up."""
    return Inert(*arguments)


def _safe() -> list[Any]:
    """What files may name beyond tensors and plain types.

    Metrics in older checkpoints are numpy numbers, and training logs of a later runner are
    objects of its HistoryBuffer.
    """
    from numpy import _core as core

    dtypes = [getattr(np.dtypes, name) for name in dir(np.dtypes) if name.endswith("DType")]
    multiarray = core.multiarray
    both = [("scalar", multiarray.scalar), ("_reconstruct", multiarray._reconstruct)]
    functions = [
        (function, f"{package}.multiarray.{name}")
        for name, function in both
        for package in ("numpy.core", "numpy._core")
    ]
    return [
        np.dtype,
        np.ndarray,
        *dtypes,
        *functions,
        (Inert, "mmengine.logging.history_buffer.HistoryBuffer"),
        (inert_attribute, "builtins.getattr"),
    ]


def read_checkpoint(filename: str | Path, map_location: Any = None) -> Any:
    """What a file holds, after a check against the checksum inside it.

    Args:
        filename: A path; ``~`` is the home folder.
        map_location: Device for the tensors, or a mapping as ``torch.load`` takes it.

    Raises:
        MissingCheckpointError: There is no such file.
        CheckpointError: It is damaged, or holds more than data.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise MissingCheckpointError(f"there is no checkpoint {path}; check the path")
    verify_file(path)
    if path.stat().st_size == 0:
        raise damaged(path, "it is empty")
    if path.suffix == ".safetensors":
        return _read_safetensors(path, map_location)
    try:
        with safe_globals(_safe()), warnings.catch_warnings():
            # Of a pickle protocol that the safe reader may not know: then it refuses by an error.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        named = GLOBAL.search(str(error))
        if named is None:
            raise damaged(
                path, "it is not in torch's format, if it is a checkpoint at all"
            ) from error
        raise CheckpointError(_not_data(path, named[1])) from error
    except Exception as error:  # what a reader meets in bytes that are not what it expects
        if "CUDA" in str(error):
            raise CheckpointError(
                f"checkpoint {path} holds tensors of a CUDA device and there is none here: "
                "read it with map_location='cpu'"
            ) from error
        raise damaged(path, _first_line(error)) from error


def _read_safetensors(path: Path, map_location: Any) -> dict[str, Any]:
    """Weights in the format of the Hugging Face hub, which holds tensors and nothing else."""
    library = requires("safetensors.torch", extra="hf")
    device = str(map_location) if isinstance(map_location, str | torch.device) else "cpu"
    try:
        return {"state_dict": library.load_file(path, device=device)}
    except Exception as error:  # its own class, which does not derive from a common one
        raise damaged(path, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def _not_data(path: Path, name: str) -> str:
    return (
        f"checkpoint {path} holds more than data: it names {name}, and to read such a file can run "
        "any code. If you trust where it comes from, convert it once: "
        "torch.save({'state_dict': torch.load(path, weights_only=False)['state_dict']}, new_path)"
    )
