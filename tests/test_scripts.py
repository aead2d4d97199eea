"""The shell scripts that start runs: sound, and a run on two processes through one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.processes import free_port, run

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "scripts").glob("*.sh"))
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="no bash")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_sound_and_says_what_it_wants(script: Path) -> None:
    assert subprocess.run([BASH, "-n", script], check=False).returncode == 0
    done = subprocess.run([BASH, script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"usage: {script.name}" in done.stderr


def test_slurm_is_asked_for_the_nodes_that_the_gpus_need(tmp_path: Path) -> None:
    """A stand-in for srun writes down what it is called with."""
    (tmp_path / "srun").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (tmp_path / "srun").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "GPUS": "16"}
    script = next(path for path in SCRIPTS if path.name == "slurm_train.sh")
    done = subprocess.run(
        [BASH, script, "part", "job", "config.py", "runs/a b", "--seed", "3"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.splitlines()
    assert {"--ntasks=16", "--ntasks-per-node=8", "--gres=gpu:8"} <= set(words)
    assert words[-5:] == ["config.py", "--work-dir=runs/a b", "--launcher=slurm", "--seed", "3"]


@pytest.mark.slow
def test_dist_train_trains_on_two_processes(tiny_config: Path, tmp_path: Path) -> None:
    # torchrun of the Python that runs the tests, wherever that lies.
    (tmp_path / "torchrun").write_text(
        f'#!/bin/sh\nexec {sys.executable} -W ignore -m torch.distributed.run "$@"\n', "utf-8"
    )
    (tmp_path / "torchrun").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PORT": str(free_port())}
    script = next(path for path in SCRIPTS if path.name == "dist_train.sh")
    work_dir = tmp_path / "run"
    options = ["--cfg-options", "runner.max_epochs=1", "evaluation.interval=1"]
    command = [BASH, script, tiny_config, "2", "--work-dir", work_dir, "--seed", "7", *options]
    done = run(command, environment)
    assert done.code == 0, done.errors[-3000:]
    meta = torch.load(work_dir / "latest.pth", weights_only=True)["meta"]
    assert (meta["world_size"], meta["iter"]) == (2, 3)  # 12 images, 2 ranks of 2 each
    assert len(list(work_dir.glob("*.log"))) == 1
