"""One measurement is one fresh process: what it starts with, and the answer it gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark.rows import BASE, OURS, REFERENCE, TORCHVISION

ROOT = Path(__file__).resolve().parents[2]
MARK = "RESULT "  # what the line of a probe's answer begins with
LONGEST = 3600  # seconds


class ProbeError(Exception):
    """A measuring process that did not answer; says how it ended."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the implementations that are compared.

    Args:
        name: As tables call it.
        package: What its probes import: ``detcore``, ``mmdet`` or ``torchvision``.
        python: The interpreter of its environment.
        paths: Folders that its imports look in first.
    """

    name: str
    package: str
    python: str
    paths: tuple[str, ...] = ()


def ours(root: Path = ROOT, name: str = OURS) -> Side:
    """The packages of a checkout, run by this interpreter."""
    paths = tuple(str(root / "packages" / each / "src") for each in ("cvcore", "detcore"))
    return Side(name, "detcore", sys.executable, paths)


def base(root: Path) -> Side:
    """Another commit's packages, run by this commit's probes."""
    return ours(root, BASE)


def reference(venv: Path) -> Side:
    """The environment that has mmdet and mmcv-full.

    Raises:
        ProbeError: There is no interpreter in it.
    """
    python = venv / "bin" / "python"
    if not python.exists():
        raise ProbeError(f"--against {venv}: there is no {python}; give a virtual environment")
    return Side(REFERENCE, "mmdet", str(python))


def torchvision_side() -> Side:
    """torchvision's own detectors, in our environment."""
    return Side(TORCHVISION, "torchvision", sys.executable, ours().paths)


def environment(side: Side, threads: int) -> dict[str, str]:
    """The variables of a measuring process: only the import path differs between sides."""
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    # The root comes last: it has `scripts` and must hide nothing of the side's own.
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([*side.paths, str(ROOT)]),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONWARNINGS": "ignore",
    }


def run_probe(
    side: Side, probe: str, arguments: dict[str, Any], threads: int, timeout: float = LONGEST
) -> dict[str, Any]:
    """Start a process, wait for it, give back its answer.

    Raises:
        ProbeError: It failed, was killed, took too long or said nothing.
    """
    command = [side.python, "-m", "scripts.benchmark.probes", probe, side.package]
    try:
        done = subprocess.run(
            [*command, json.dumps(arguments)],
            env=environment(side, threads),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"{probe} on {side.name} took longer than {timeout:.0f} s") from None
    if done.returncode < 0:
        # The usual reason is that the machine's memory does not suffice.
        raise ProbeError(f"{probe} on {side.name} was killed by signal {-done.returncode}")
    answers = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not answers:
        end = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise ProbeError(f"{probe} on {side.name} ended with {done.returncode}: {end}")
    return json.loads(answers[-1].removeprefix(MARK))
