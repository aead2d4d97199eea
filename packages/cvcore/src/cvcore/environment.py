"""What a run depends on besides its config: the machine and the versions of everything."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cvcore.version import __version__


def collect_env() -> dict[str, Any]:
    """Name to value of what a report of a bug needs; imports torch."""
    return {
        "sys.platform": sys.platform,
        "OS": platform.platform(),
        "Python": sys.version.replace("\n", ""),
        "CPU count": os.cpu_count(),
        **_torch_environment(),
        "TorchVision": _version_of("torchvision"),
        "NumPy": _version_of("numpy"),
        "Pillow": _version_of("pillow"),
        "cvcore": __version__,
    }


def get_device() -> str:
    """The kind of device that is certain to run every operator: ``'cuda'``, else ``'cpu'``.

    MPS lacks some operators, and is used where it is named.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def get_host_info() -> str:
    """``user@host``; empty where the system does not tell."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):  # in a container the user may have no name
        return ""


def _torch_environment() -> dict[str, Any]:
    import torch

    environment: dict[str, Any] = {
        "PyTorch": torch.__version__,
        "CUDA available": torch.cuda.is_available(),
        "MPS available": torch.backends.mps.is_available(),
    }
    names: dict[str, list[str]] = {}
    for index in range(torch.cuda.device_count()):
        names.setdefault(torch.cuda.get_device_name(index), []).append(str(index))
    for name, indices in names.items():
        environment[f"GPU {','.join(indices)}"] = name
    if torch.version.cuda is not None:
        environment["CUDA"] = torch.version.cuda
        environment["cuDNN"] = torch.backends.cudnn.version()
    return environment


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
