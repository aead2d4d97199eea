"""Measuring ours as if the extra `fast` were not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.benchmark import cli, layers
from scripts.benchmark.inputs import Inputs
from scripts.benchmark.probes.extras import FAST, hide
from scripts.benchmark.rows import BASE, OURS, REFERENCE, Row


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inputs:
    """Files that nobody makes."""
    monkeypatch.setattr(Inputs, "photographs", lambda *_: {"ann_file": "", "img_prefix": ""})
    monkeypatch.setattr(Inputs, "pipeline", lambda *_: "config.py")
    monkeypatch.setattr(Inputs, "large_file", lambda *_: "file.json")
    return Inputs(tmp_path, lambda *_: {})


def test_a_hidden_library_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "some_extra.py").write_text("")
    (tmp_path / "another.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "some_extra", None)  # type: ignore[arg-type]  # to undo it
    hide(["some_extra"])
    with pytest.raises(ModuleNotFoundError, match="some_extra"):
        importlib.import_module("some_extra")
    assert importlib.util.find_spec("some_extra") is None
    importlib.import_module("another")
    with pytest.raises(RuntimeError, match="another"):
        hide(["another"])


@pytest.mark.parametrize("layer", ["data", "annotations"])
def test_the_option_hides_them_from_our_sides_alone(inputs: Inputs, layer: str) -> None:
    def row(*words: str) -> Row:
        return cli.makers(cli.parser().parse_args([layer, *words]), inputs)[layer]()

    without = row("--without-extras")
    assert without.arguments_of(OURS)["hidden"] == without.arguments_of(BASE)["hidden"] == FAST
    assert "hidden" not in without.arguments_of(REFERENCE)
    assert "hidden" not in row().arguments_of(OURS)
    assert without.name != row().name


def test_targets_are_measured_without_the_extra_and_once_more_with_it(inputs: Inputs) -> None:
    makers = cli.makers(cli.parser().parse_args(["targets"]), inputs)
    for key in ("pipeline", "annotations"):
        assert "no extras" in makers[key]().name
        assert makers[key]().arguments_of(OURS)["hidden"] == FAST
        assert "with the extra fast" in makers[f"{key}-fast"]().name
    assert layers.pipeline(inputs, None, None, extras=True).of_side == {}


def test_a_training_is_measured_as_where_no_extra_is_installed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = """
import importlib.util, sys
import detcore.cli.train
from scripts.benchmark.probes import train_ours
def train():
    names = (*train_ours.FAST, *train_ours.EVAL)
    print([importlib.util.find_spec(name) for name in names])
    from detcore.evaluation.coco_counting import installed_backend
    print(installed_backend())
    return 0
detcore.cli.train.main = train
train_ours.main()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert capfd.readouterr().out.splitlines() == [str([None] * 5), "pycocotools"]
