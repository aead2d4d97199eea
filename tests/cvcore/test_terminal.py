"""Log lines on a terminal."""

from __future__ import annotations

import io
import logging
import re

import pytest
from rich.console import Console

from cvcore.terminal import ShortLineHandler

PATH = "work_dirs/faster_rcnn_r50_fpn_1x_coco_small/data/annotations/instances_train.json"


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(terminal: io.StringIO) -> logging.Logger:
    made = logging.Logger("terminal test")
    console = Console(
        file=terminal, force_terminal=True, width=40, color_system=None, soft_wrap=True
    )
    made.addHandler(ShortLineHandler(console))
    return made


def test_a_line_is_the_time_and_the_message_with_paths_whole(
    logger: logging.Logger, terminal: io.StringIO
) -> None:
    logger.info("read [%s]", PATH)
    assert re.fullmatch(rf"\d\d:\d\d:\d\d read \[{PATH}\]\n", terminal.getvalue())


def test_the_level_is_named_from_warnings_on(logger: logging.Logger, terminal: io.StringIO) -> None:
    logger.warning("no mask")
    logger.error("no box")
    warning, error = terminal.getvalue().splitlines()
    assert warning.endswith(" warning: no mask")
    assert error.endswith(" error: no box")


def test_further_lines_begin_at_the_left_edge(
    logger: logging.Logger, terminal: io.StringIO
) -> None:
    logger.info("\ndisc | 0.1\nring | 0.2")
    assert terminal.getvalue().splitlines()[1:] == ["disc | 0.1", "ring | 0.2"]


def test_an_exception_shows_its_traceback(logger: logging.Logger, terminal: io.StringIO) -> None:
    try:
        raise ValueError("seven")
    except ValueError:
        logger.exception("it failed")
    text = terminal.getvalue()
    assert "error: it failed" in text
    assert "ValueError: seven" in text
