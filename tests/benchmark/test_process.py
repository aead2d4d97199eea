"""Fresh processes: what they start with, and what is made of their end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.benchmark.process import (
    ROOT,
    ProbeError,
    base,
    environment,
    ours,
    reference,
    run_probe,
)
from scripts.benchmark.worktree import worktree_of


def test_a_probe_answers_from_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "_base_").mkdir()
    (tmp_path / "_base_" / "a.py").write_text("x = 1\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f"_base_ = './_base_/a.py'\ny = '{name}'\n")
    answer = run_probe(ours(), "configs", {"folder": str(tmp_path)}, threads=1)
    assert answer["agree"] == {"configs": 2.0}
    assert answer["figures"].keys() == {"seconds"}


def test_a_probe_that_fails_tells_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("_base_ = './nowhere.py'\n")
    with pytest.raises(ProbeError, match=r"configs on ours ended with 1: .*broken\.py"):
        run_probe(ours(), "configs", {"folder": str(tmp_path)}, threads=1)


def test_a_process_that_is_killed_says_so(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    with pytest.raises(ProbeError, match="killed by signal 9"):
        run_probe(reference(tmp_path), "configs", {}, threads=1)


def test_a_folder_without_python_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="give a virtual environment"):
        reference(tmp_path)


def test_all_sides_get_the_same_threads_and_their_own_imports(tmp_path: Path) -> None:
    mine, other = environment(ours(), 2), environment(base(tmp_path), 2)
    assert mine["OMP_NUM_THREADS"] == other["OMP_NUM_THREADS"] == "2"
    assert mine["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT / "packages" / "cvcore" / "src")
    assert other["PYTHONPATH"].split(os.pathsep) == [
        str(tmp_path / "packages" / "cvcore" / "src"),
        str(tmp_path / "packages" / "detcore" / "src"),
        str(ROOT),  # the probes are those of this checkout
    ]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert environment(reference(tmp_path), 2)["PYTHONPATH"] == str(ROOT)


def test_a_worktree_holds_the_commit_and_is_gone_afterwards(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", *identity, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    git("init", "-q")
    for text in ("old", "new"):
        (tmp_path / "file").write_text(text)
        git("add", "file")
        git("commit", "-qm", text)
    with worktree_of("HEAD~1", tmp_path) as place:
        assert (place / "file").read_text() == "old"
    assert not place.exists()
    assert len(git("worktree", "list").splitlines()) == 1
    with (
        pytest.raises(ProbeError, match="nothing-of-the-name"),
        worktree_of("nothing-of-the-name", tmp_path),
    ):
        pass
