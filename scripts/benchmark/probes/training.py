"""A training from the command line: up to its first iteration, or to its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.benchmark.probes.first_iteration_note import NOTE

START = {
    "detcore": ["-m", "scripts.benchmark.probes.train_ours"],
    "mmdet": ["-m", "scripts.benchmark.probes.train_reference"],
}


def measure(package: str, config: str, to_the_end: bool = False) -> dict[str, Any]:
    """Seconds from the start of the process.

    Args:
        package: Whose command trains.
        config: A config file; it has the hook of ``first_iteration`` unless it runs to its end.
        to_the_end: Wait for the end of the training, evaluations included.
    """
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        command = [sys.executable, *START[package], config, "--work-dir", f"{folder}/run"]
        with (Path(folder) / "log").open("w+") as log:
            begin = time.time()
            process = subprocess.Popen(
                [*command, "--seed", "0"], stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, NOTE: str(note)}, start_new_session=True,
            )  # fmt: skip
            code = process.wait()
            end = time.time()
            end_group(process.pid)
            log.seek(0)
            if code or not (to_the_end or note.exists()):
                raise RuntimeError(f"{command}: {code}\n{log.read()[-2000:]}")
        if not to_the_end:
            return {"figures": {"seconds": float(note.read_text(encoding="utf-8")) - begin}}
        figures = evaluations(Path(folder) / "run")
        return {
            "figures": {"seconds": end - begin},
            "agree": {"mAP": figures[-1]},
            "notes": {"mAP of each evaluation": figures},
        }


def end_group(leader: int) -> None:
    """End the loader's workers, which outlive a process that ends at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def evaluations(work_dir: Path) -> list[float]:
    """The mAP of every evaluation, from the log with one JSON object a line."""
    found = []
    for path in [*work_dir.glob("*.log.json"), *work_dir.glob("metrics.jsonl")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if "bbox_mAP" in record:
                found.append(float(record["bbox_mAP"]))
    return found
