"""Every example that a verb's help shows is run, in a folder that has the files it names."""

from __future__ import annotations

import argparse
import importlib
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.furnished import dump_of_a_run_that_went_wrong

from detcore.cli.entry import HelpText, Parser
from detcore.cli.main import VERBS, main
from detcore.cli.test import main as evaluate
from detcore.cli.train import main as train

# What the test adds so that an example takes seconds, by the beginning of the example.
ADDED = {
    "detcore-train my_config.py": ["--cfg-options", "runner.max_epochs=1"],
    "detcore train --data": [
        *("--epochs", "1", "--batch-size", "4", "--cfg-options", "model.backbone.init_cfg=None"),
        *(f"data.{part}.img_scale=(128,96)" for part in ("train.pipeline.2", "val.pipeline.1")),
        *("data.test.pipeline.1.img_scale=(128,96)", "data.workers_per_gpu=0"),
    ],
    "detcore demo": ["--epochs", "1", "--train-scenes", "8", "--val-scenes", "2"],
    "detcore benchmark": ["--shape", "96", "128", "--repeats", "1", "--warm-up", "0"],
    "detcore analyze occluded": ["--occluded", "none.json", "--separated", "none.json"],
}
NOT_RUN = {
    "detcore zoo get": "downloads; test_zoo_get.py does so from this machine",
    "detcore data get": "downloads; test_data.py does so from this machine",
    "detcore serve": "runs until it is stopped; the tests of serving start and stop it",
}
CODES = {"detcore config diff": 1}  # as diff has it: the two differ
SLOW = ("detcore train", "detcore demo", "detcore convert checkpoint", "detcore analyze robustness")


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def examples() -> list[str]:
    """The commands below ``Example:`` in the help of each verb and of each of its actions."""
    found: dict[str, None] = {}
    for verb in VERBS:
        module = importlib.import_module(f"detcore.cli.{verb}")
        top = Parser(prog=f"detcore {verb}", description=module.DESCRIPTION)
        module.add_arguments(top)
        for parser in parsers(top):
            assert parser.description, parser.prog
            assert "\nExample:\n" in parser.format_help(), parser.prog
            lines = parser.format_help().partition("\nExample:\n")[2].partition("\n\n")[0]
            commands = [line[2:] for line in lines.splitlines() if line.startswith("  detcore")]
            assert commands, parser.prog
            found |= dict.fromkeys(commands)
    return list(found)


def of(table: dict[str, object], example: str) -> object:
    return next((value for start, value in table.items() if example.startswith(start)), None)


RUN = [each for each in examples() if of(dict(NOT_RUN), each) is None]


@pytest.fixture
def folder(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(furnished, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def weights_of_torchvision(folder: Path) -> None:
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    model = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    torch.save(model.state_dict(), folder / "fasterrcnn.pth")


PREPARE = {
    "detcore replay": lambda folder: dump_of_a_run_that_went_wrong(folder, 7),
    "detcore convert checkpoint": weights_of_torchvision,
}


@pytest.mark.parametrize(
    "example",
    [pytest.param(each, marks=pytest.mark.slow if each.startswith(SLOW) else ()) for each in RUN],
)
def test_an_example_does_what_it_says(
    example: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "robustness" in example:
        pytest.importorskip("imagecorruptions", reason="pip install detcore[corruptions]")
    prepare = of(dict(PREPARE), example)
    if prepare is not None:
        prepare(folder)  # type: ignore[operator]
    program, *arguments = [*shlex.split(example), *(of(dict(ADDED), example) or [])]  # type: ignore[misc]
    before = {path for path in folder.rglob("*") if path.is_file()}
    if program == "detcore":
        code = main(arguments)
    else:
        code = {"detcore-train": train, "detcore-test": evaluate}[program](arguments)
    said = capsys.readouterr()
    assert code == (of(dict(CODES), example) or 0), said.err
    wrote = {path for path in folder.rglob("*") if path.is_file()} - before
    assert said.out.strip() or wrote


def test_what_is_not_run_is_shown_somewhere() -> None:
    for start in [*NOT_RUN, *ADDED, *CODES, *PREPARE]:
        assert any(each.startswith(start) for each in examples()), start


def test_an_example_has_a_line_of_its_own() -> None:
    parser = argparse.ArgumentParser(
        description="Do it. Example: detcore a --b   says c   or, twice: detcore d   or: detcore e",
        formatter_class=HelpText,
    )
    assert (
        "Do it.\n\nExample:\n  detcore a --b\n    says c\nor, twice:\n  detcore d\n  detcore e\n"
        in parser.format_help()
    )
