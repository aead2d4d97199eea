"""Commands of the tutorials that want files, ports or machines of the reader, run on stand-ins.

`test_tutorials.py` follows the pages whose commands can be run word by word. Here capitals become
files, eight processes become two, and another machine becomes this one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest
from tests.furnished import dump_of_a_run_that_went_wrong
from tests.page_blocks import ROOT, SOURCES, blocks, commands, installable

TUTORIALS = ROOT / "docs" / "tutorials"
SHELL = {"bash", "shell", "text", ""}
PROGRAM = re.compile(r"(?:[A-Z_]+=\S+ )*(\S+)")
RUNNABLE = {"detcore", "detcore-train", "detcore-test", "torchrun", "curl", "pip"}
NOT_RUN = {
    "--webcam": "needs a camera; test_films.py has one of its own",
    "slurm_train.sh": "needs Slurm; test_scripts.py runs it on a stand-in for srun",
}
FILES = {"CONFIG": "my_config.py", "CHECKPOINT": "latest.pth", "path/to/folder": "FOLDER"}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def lines_of(page: Path) -> Iterator[str]:
    """The command lines in the shell blocks of a page."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language not in SHELL:
            continue
        for line in block.code.replace("\\\n", " ").splitlines():
            program = PROGRAM.match(line)
            if program and (program[1] in RUNNABLE or program[1].startswith("scripts/")):
                yield line.strip()


@dataclass
class Terminal:
    """A shell in a folder, with the project's commands on its path.

    Attributes:
        replaced: What stands for what on the page.
        running: Commands that go on in the background.
    """

    folder: Path
    replaced: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        programs = {
            "detcore": "-m detcore.cli.main",
            "detcore-train": "-m detcore.cli.train",
            "detcore-test": "-m detcore.cli.test",
            "torchrun": "-W ignore -m torch.distributed.run",
        }
        (self.folder / "bin").mkdir()
        for name, module in programs.items():
            path = self.folder / "bin" / name
            path.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
            path.chmod(0o755)

    def start(self, line: str) -> subprocess.Popen[str]:
        """Start a line of the page, with its replacements."""
        for there, here in self.replaced.items():
            line = line.replace(there, here)
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
            "OMP_NUM_THREADS": "1",
        }
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            environment.pop(name, None)
        return subprocess.Popen(
            ["bash", "-c", f"exec {line}" if "=" not in line.split()[0] else line],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def follow(self, lines: list[str]) -> int:
        """Run the lines in order; how many of them ran. Those of several machines go together."""
        done = 0
        for line in lines:
            if any(mark in line for mark in NOT_RUN):
                continue
            if line.startswith("pip install "):
                assert set(re.findall(r"'(.+?)'", line)) <= installable(), line
            elif line.startswith("detcore serve"):
                self.serve(line)
            elif "NNODES=" in line:
                self.running.append(self.start(line))
            else:
                finish(self.start(line), line)
            done += 1
        return done

    def serve(self, line: str) -> None:
        """Start a server and wait until it listens."""
        server = self.start(line)
        self.running.append(server)
        assert server.stdout is not None
        deadline = time.monotonic() + 60
        for said in server.stdout:
            if "running on" in said:
                return
            assert time.monotonic() < deadline, said
        raise AssertionError(f"{line}: ended with {server.wait()}")


def finish(process: subprocess.Popen[str], line: str) -> None:
    """Wait for a command that has to end well."""
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, f"{line}\n{said[-3000:]}"


@pytest.fixture
def folder(furnished: Path, tmp_path: Path) -> Path:
    here = tmp_path / "here"
    shutil.copytree(furnished, here)
    return here


PAGES = ["check_your_data.md", "data.md", "migration.md"]


@pytest.mark.slow
@pytest.mark.parametrize("page", [*(TUTORIALS / name for name in PAGES)], ids=PAGES)
def test_commands_on_files_of_the_reader_work(page: Path, folder: Path) -> None:
    terminal = Terminal(folder, {**FILES, "path/to/my/configs": "my_configs"})
    assert terminal.follow(list(lines_of(page))) > 0


@pytest.mark.slow
def test_commands_of_the_package_readme_work(folder: Path) -> None:
    terminal = Terminal(folder, {**FILES, "mask_rcnn_r50_fpn_1x_coco": "my_config.py"})
    assert terminal.follow(list(lines_of(ROOT / "packages" / "detcore" / "README.md"))) == 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl; apt-get install curl")
def test_a_detector_is_served_and_asked_as_the_page_says(folder: Path, scenes: Path) -> None:
    from cvcore.image import imread
    from detcore.apis.inference.video import FilmWriter

    (folder / "work_dirs" / "demo").mkdir(parents=True)
    shutil.copy(folder / "latest.pth", folder / "work_dirs" / "demo")
    with FilmWriter(folder / "clip.mp4", Fraction(10)) as film:
        for i in range(3):
            film.write(imread(scenes / "images" / f"val_{i:05}.jpg"), Fraction(i, 10))
    terminal = Terminal(folder, {"8000": free_port()})
    try:
        assert terminal.follow(list(lines_of(TUTORIALS / "serving.md"))) == 6
        assert imread(folder / "found.jpg").shape == (96, 128, 3)
        assert len((folder / "found.jsonl").read_text().splitlines()) == 3
    finally:
        (server,) = terminal.running
        os.killpg(server.pid, signal.SIGTERM)
        said, _ = server.communicate(timeout=60)
        # Once everything is answered uvicorn lets the signal end the process.
        assert server.returncode in (0, -signal.SIGTERM), said
        assert "shutdown complete" in said


@pytest.mark.slow
def test_runs_of_many_processes_start_as_the_page_says(folder: Path) -> None:
    """With two processes for eight, of one rank each on two machines, which are this one."""
    page = TUTORIALS / "distributed.md"
    shutil.rmtree(folder / "runs")
    short = "\nrunner = dict(max_epochs=1)\nevaluation = dict(metric='bbox')\n"
    with (folder / "my_config.py").open("a") as config:
        config.write(short)
    replaced = {
        "CONFIG 8": "CONFIG 2",
        "--gpus 8": "--gpus 2",
        "--nproc_per_node=8": f"--master_port={free_port()} --nproc_per_node=2",
        "10.0.0.1": "127.0.0.1",
        "29500": free_port(),
        "scripts/": f"{ROOT / 'scripts'}/",
        **FILES,
    }
    terminal = Terminal(folder, replaced)
    lines = list(lines_of(page))
    machines = [line.replace("CONFIG 8", "CONFIG 1") for line in lines if "NNODES=" in line]
    alone = [line for line in lines if "NNODES=" not in line and "replay" not in line]
    assert len(machines) == 2
    assert terminal.follow(alone) == 5
    assert (folder / "runs" / "a" / "latest.pth").exists()
    assert terminal.follow(machines) == 2
    for machine in terminal.running:
        finish(machine, "two machines")


@pytest.mark.slow
def test_what_a_run_leaves_that_went_wrong_is_run_again_as_the_page_says(folder: Path) -> None:
    dump_of_a_run_that_went_wrong(folder, 1234).rename(
        folder / "runs" / "a" / "nonfinite_iter_1234.pth"
    )
    lines = [line for line in lines_of(TUTORIALS / "distributed.md") if "replay" in line]
    assert Terminal(folder, FILES).follow(lines) == 1


def test_no_page_has_shell_commands_that_nothing_runs() -> None:
    run = {*PAGES, "serving.md", "distributed.md"}
    for page in TUTORIALS.glob("*.md"):
        assert page.name in run or not list(lines_of(page)), page.name


def test_each_command_of_a_shell_block_is_found() -> None:
    """A program that is not known would be passed over."""
    for page in TUTORIALS.glob("*.md"):
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language in {"bash", "shell"}:
                found = [line for line in lines_of(page) if line in block.code]
                assert len(found) == len(commands(block)), f"{page.name}:{block.line}"
