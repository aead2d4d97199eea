"""Every command and snippet of README and the tutorials does what a reader would have it do."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.page_blocks import OURS, ROOT, Block, Reader, blocks, commands

TUTORIALS = ROOT / "docs" / "tutorials"
SMALL = [
    "--cfg-options",
    "model.backbone.init_cfg=None",  # weights that would be downloaded
    "data.train.pipeline.2.img_scale=(128,96)",
    "data.val.pipeline.1.img_scale=(128,96)",
    "data.test.pipeline.1.img_scale=(128,96)",
    "data.workers_per_gpu=0",
    "runner.max_epochs=1",
]
SMALL_TEST = ["--cfg-options", SMALL[1], SMALL[4], SMALL[5]]
QUICK_DEMO = ["--epochs", "1", "--train-scenes", "8", "--val-scenes", "2"]


def labelled_by_a_tool(folder: Path) -> None:
    """Images and one json, as annotation tools write them: not divided yet."""
    from detcore.datasets import draw_scenes

    scenes = draw_scenes(folder / "labelled", num_train=10, num_val=1, seed=0, size=(96, 72))
    scenes.val.unlink()
    scenes.train.rename(scenes.train.with_name("instances_default.json"))
    for image in scenes.images.glob("val_*"):
        image.unlink()


def divided(folder: Path) -> None:
    """What the demo draws, smaller."""
    from detcore.datasets import draw_scenes

    draw_scenes(folder / "shapes", num_train=8, num_val=2, seed=0, size=(128, 96))


def pets(folder: Path) -> None:
    """The reader's own photographs of README: two classes, one folder of images."""
    divided(folder)
    shutil.move(folder / "shapes", folder / "data" / "pets")
    for split in ("train", "val"):
        path = folder / "data" / "pets" / "annotations" / f"{split}.json"
        document = json.loads(path.read_text())
        document["categories"] = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
        for annotation in document["annotations"]:
            annotation["category_id"] = 1 + annotation["category_id"] % 2
        path.with_name(path.name).unlink()
        (folder / "data" / "pets" / f"{split}.json").write_text(json.dumps(document))
    shutil.copy(folder / "data" / "pets" / "images" / "val_00000.jpg", folder / "photo.jpg")


def nothing(folder: Path) -> None:
    """A page that needs only its own files."""


Setup = Callable[[Path], None]
QUICK: dict[str, Setup] = {
    "docs/tutorials/migration.md": nothing,
    "docs/tutorials/distributed.md": nothing,
    "docs/tutorials/faq.md": nothing,
    "packages/cvcore/README.md": nothing,
}
TRAINS: dict[str, tuple[Setup, dict[str, list[str]]]] = {
    "README.md": (pets, {"detcore-train": SMALL, "detcore-test": SMALL_TEST}),
    "docs/tutorials/start.md": (nothing, {"detcore demo": QUICK_DEMO}),
    "packages/detcore/README.md": (nothing, {"detcore demo": QUICK_DEMO}),
    "docs/tutorials/own_data.md": (
        labelled_by_a_tool,
        {"detcore-train": SMALL, "detcore train": SMALL, "detcore-test": SMALL_TEST},
    ),
    "docs/tutorials/configs.md": (nothing, {}),
    "docs/tutorials/export.md": (nothing, {"detcore demo": QUICK_DEMO}),
    "docs/tutorials/hooks_and_parts.md": (
        divided,
        {"python -m detcore.cli.main train": ["--cfg-options", "runner.max_epochs=2"]},
    ),
}
# Run in an environment of its own by tests/cvcore/test_classifier_project.py.
ELSEWHERE = {"docs/tutorials/classifier.md"}


@pytest.mark.parametrize("page", QUICK)
def test_a_page_without_training_can_be_followed(page: str, tmp_path: Path) -> None:
    QUICK[page](tmp_path)
    Reader(tmp_path).follow(ROOT / page)


@pytest.mark.slow
@pytest.mark.parametrize("page", TRAINS)
def test_a_page_that_trains_can_be_followed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up, added = TRAINS[page]
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)  # where its Python snippets look for files
    assert Reader(tmp_path, added).follow(ROOT / page) > 0


def test_each_page_with_commands_is_followed() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *TUTORIALS.glob("*.md")]
    with_blocks = {
        page.relative_to(ROOT).as_posix()
        for page in pages
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.language == "console" or (block.language == "python" and ">>>" not in block.code)
    }
    assert with_blocks - set(QUICK) - set(TRAINS) - ELSEWHERE == set()


@pytest.mark.parametrize("page", sorted(TUTORIALS.glob("*.md")), ids=lambda page: page.stem)
def test_commands_that_need_files_or_machines_of_the_reader_are_ones_that_are_understood(
    page: Path,
) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language in {"bash", "shell", "text", ""}:
            for command in commands(block):
                if command[0] in OURS and "VERB" not in command:
                    check_arguments(command, f"{page.name}:{block.line}")


def check_arguments(command: Sequence[str], where: str) -> None:
    """Parse the command line as the program would, and do nothing."""
    program, *rest = command
    verb, *rest = rest if program == "detcore" else [program.removeprefix("detcore-"), *rest]
    module = importlib.import_module(f"detcore.cli.{verb}")
    parser = argparse.ArgumentParser(prog=where)
    module.add_arguments(parser)
    parser.parse_args(list(rest))


def test_links_between_pages_lead_somewhere() -> None:

    broken = []
    for page in [ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *TUTORIALS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)[^):]*\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_comments_and_continued_lines_belong_to_a_command() -> None:
    block = Block("console", "detcore a \\\n  --b c  # why\n\n# nothing\ndetcore d\n", line=1)
    assert commands(block) == [["detcore", "a", "--b", "c"], ["detcore", "d"]]


@pytest.mark.parametrize(
    "shown",
    ["pip install detcore[speed]", "make coffee", "detcore-trian x.py", "detcore predcit a b"],
)
def test_a_command_that_does_not_work_fails(shown: str, tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text(f"```console\n{shown}\n```\n")
    with pytest.raises(AssertionError):
        Reader(tmp_path).follow(page)


def test_snippets_of_a_page_share_their_names(tmp_path: Path) -> None:
    page = tmp_path / "right.md"
    page.write_text(
        "```python\nx = 1\n```\n\n```python\n# a.py\ny = 2\n```\n\n```python\nx + 1\n```\n"
    )
    reader = Reader(tmp_path)
    assert reader.follow(page) == 3
    assert reader.names["x"] == 1
    assert (tmp_path / "a.py").read_text() == "# a.py\ny = 2\n"
