"""Numbers of a run as lines of JSON: one report a line, readable while the run goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cvcore.fileio import atomic_write


class MetricsFile:
    """Appends reports to a file.

    Args:
        path: The file. That of an earlier run in the same folder is put aside; when a run is
            resumed, lines later than the place it is resumed at are dropped.
        start: Iterations that the run had finished when it began; 0 if it is a new one.
        aside: Name for the file of an earlier run.
    """

    def __init__(self, path: Path, start: int, aside: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        if start == 0:
            path.replace(path.with_name(aside))
        else:
            self._drop_after(start)

    def _drop_after(self, start: int) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _step_of(line) <= start]
        with atomic_write(self.path, "w") as file:
            file.writelines(f"{line}\n" for line in kept)

    def append(self, report: Mapping[str, Any]) -> None:
        """Write one line."""
        line = json.dumps(json_safe(report), allow_nan=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _step_of(line: str) -> float:
    """The iteration of a line; a broken one, cut off when a run was killed, comes last."""
    try:
        return float(json.loads(line).get("step", 0))
    except (ValueError, AttributeError, TypeError):
        return math.inf


def json_safe(value: Any) -> Any:
    """``value`` in types that JSON has; a number that is not finite becomes null."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().tolist()
    elif isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
