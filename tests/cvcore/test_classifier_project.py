"""The tutorial's classifier, where cvcore is installed from its wheel and detcore is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorials" / "classifier.md"
PROJECT = ROOT / "docs" / "tutorials" / "classifier"


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, without anything that this process was started with."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with cvcore's wheel, its dependencies, and no detcore."""
    folder = tmp_path_factory.mktemp("environment")
    source = folder / "cvcore"
    leave_out = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "packages" / "cvcore", source, ignore=leave_out)
    options = ["--wheel", "--no-isolation", "--outdir", folder]
    run(sys.executable, "-m", "build", *options, source, cwd=folder)
    (wheel,) = folder.glob("cvcore-*.whl")
    venv.create(folder / "venv", symlinks=os.name != "nt")
    place = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", place))
    target = ["--no-deps", "--no-index", "--quiet", "--target", packages]
    run(sys.executable, "-m", "pip", "install", *target, wheel, cwd=folder)
    # torch and the like come from where the tests have them. Python does not look for .pth files
    # in there, by which the project itself is installed.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    scripts = Path(sysconfig.get_path("scripts", "venv", place))
    return scripts / Path(sys.executable).name


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's files, in a folder of their own."""
    for file in PROJECT.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    return tmp_path


def fenced(language: str) -> list[str]:
    """The blocks of a language on the tutorial's page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def last_score(work_dir: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (work_dir / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("mode") == "val"][-1]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_the_page_shows_the_files_as_they_are() -> None:
    assert fenced("toml") == [(PROJECT / "digits.toml").read_text()]
    assert fenced("python")[0] == (PROJECT / "digits.py").read_text()


def test_the_code_has_sixty_lines() -> None:
    lines = (PROJECT / "digits.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 60


def test_detcore_is_not_there_and_cvcore_is_the_wheels(python: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util, cvcore\n"
        "assert importlib.util.find_spec('detcore') is None\n"
        "print(cvcore.__file__)"
    )
    found = Path(run(python, "-c", code, cwd=tmp_path).stdout.strip())
    assert python.parents[1] in found.parents
    with pytest.raises(AssertionError, match="No module named 'detcore'"):
        run(python, "-c", "import detcore", cwd=tmp_path)


@pytest.mark.slow
def test_held_out_digits_are_read_and_the_checkpoint_can_be_used(
    python: Path, project: Path
) -> None:
    run(python, "digits.py", "digits.toml", "work_dir", cwd=project)
    score = last_score(project / "work_dir")
    assert score["epoch"] == 20
    assert score["accuracy"] >= 0.97
    said = run(python, "-c", fenced("python")[1], cwd=project).stdout
    guess, truth = re.findall(r"tensor\((\d)\)", said)
    assert guess == truth


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(
    python: Path, project: Path
) -> None:
    config = project / "digits.toml"
    short = config.read_text().replace("epochs = 20", "epochs = 4")
    config.write_text(short.replace("interval = 5", "interval = 1"))
    run(python, "digits.py", "digits.toml", "unbroken", cwd=project)
    run(python, "digits.py", "digits.toml", "broken", cwd=project)
    for path in (project / "broken").glob("*.pth"):
        if path.name != "epoch_3.pth":
            path.unlink()  # as if the power had failed in the fourth epoch
    again = run(python, "digits.py", "digits.toml", "broken", cwd=project)
    assert "epoch 3" in again.stdout + again.stderr
    whole = weights(project / "unbroken" / "epoch_4.pth")
    assert all(
        torch.equal(tensor, whole[name])
        for name, tensor in weights(project / "broken" / "epoch_4.pth").items()
    )
