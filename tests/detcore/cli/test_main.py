"""`detcore`: the verbs and what is said when there is none of that name."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from detcore import __version__
from detcore.cli.entry import Parser
from detcore.cli.main import VERBS, main


def test_the_overview_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"detcore {__version__}\n"


def test_a_misspelt_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([verb, "--help"])
    assert exit_info.value.code == 0
    assert "Example:" in capsys.readouterr().out


def test_config_prints_what_a_config_inherits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "mask_rcnn_r50_fpn_1x_coco", "--cfg-options", "optimizer.lr=0.5"]) == 0
    text = capsys.readouterr().out
    assert "type='MaskRCNN'" in text
    assert "lr=0.5" in text


def test_config_says_which_file_set_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "mask_rcnn_r50_fpn_1x_coco", "--origin", "model.backbone.depth"]) == 0
    assert Path(capsys.readouterr().out.strip()).name == "faster_rcnn_r50_fpn.py"


def examples() -> list[tuple[str, str]]:
    """Every example of every verb's help, after the name of the program."""
    found = []
    for verb in VERBS:
        module = importlib.import_module(f"detcore.cli.{verb}")
        modules = [module]
        modules += [
            importlib.import_module(f"detcore.cli.{verb}.{action}")
            for action in getattr(module, "ACTIONS", {})
            if isinstance(module.ACTIONS, dict)
        ]
        for each in modules:
            text = each.DESCRIPTION.partition("Example: ")[2]
            found += [(verb, one) for one in re.split(r"(?=\bdetcore[ -])", text) if one.strip()]
    return found


@pytest.mark.parametrize(("verb", "example"), examples())
def test_every_example_is_one_that_the_verb_takes(verb: str, example: str) -> None:
    """What follows after two spaces explains the example."""
    words = shlex.split(re.split(r"\s{2,}|, or", example)[0])
    name, *arguments = words
    if name == "detcore":
        assert arguments.pop(0) == verb
    else:
        assert name == f"detcore-{verb}"
    module = importlib.import_module(f"detcore.cli.{verb}")
    parser = Parser(prog=verb)
    module.add_arguments(parser)
    parser.parse_args(arguments)  # exits where it does not fit
