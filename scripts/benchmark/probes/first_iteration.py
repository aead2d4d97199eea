"""A hook of either implementation that notes when the first training iteration is done."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from pathlib import Path
from typing import Any

from scripts.benchmark.probes.first_iteration_note import NOTE

_CORE = "mmcv" if importlib.util.find_spec("mmcv") else "cvcore"
_RUNNER = importlib.import_module(f"{_CORE}.runner")


@_RUNNER.HOOKS.register_module()
class FirstIteration(_RUNNER.Hook):  # type: ignore[name-defined]  # known when it runs
    """Writes the time after the first iteration, and ends the process: no more is asked of it."""

    def after_train_iter(self, runner: Any) -> None:
        """The iteration is over; its optimizer step too, since this hook comes late."""
        Path(os.environ[NOTE]).write_text(repr(time.time()), encoding="utf-8")
        os._exit(0)
