"""The same names of two implementations, and how a measuring process tells time and memory."""

from __future__ import annotations

import importlib
import resource
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

CORE = {"detcore": "cvcore", "mmdet": "mmcv"}


def name_of(package: str, module: str, name: str) -> Any:
    """``name`` from a module below the detection package, such as ``models``."""
    return getattr(importlib.import_module(f"{package}.{module}".rstrip(".")), name)


def core_name_of(package: str, module: str, name: str) -> Any:
    """``name`` from a module below the package that the detection package stands on."""
    return getattr(importlib.import_module(f"{CORE[package]}.{module}".rstrip(".")), name)


def timed(work: Callable[[], Any], repeats: int, warm_up: int = 1) -> list[float]:
    """Seconds of each repeat, after some that do not count."""
    for _ in range(warm_up):
        work()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def middle(work: Callable[[], Any], repeats: int, warm_up: int = 1) -> float:
    """The median of ``timed``."""
    return median(timed(work, repeats, warm_up))


def peak_mib() -> float:
    """MiB that this process held at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
