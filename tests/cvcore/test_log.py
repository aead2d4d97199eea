"""Loggers: one line once, from rank 0 unless something is wrong."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cvcore.log as log_module
from cvcore.log import FILE_ONLY, current_rank, get_logger, print_log


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log_module, "_initialised", set())
    monkeypatch.delenv("RANK", raising=False)
    yield
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("logtest"):
            logger = logging.getLogger(name)
            for handler in logger.handlers:
                handler.close()
            logger.handlers.clear()


def test_a_file_holds_plain_dated_lines(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.log"
    get_logger("logtest_a", log_file=path).info("loss %.1f", 0.5)
    line = path.read_text(encoding="utf-8")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ - logtest_a - INFO - loss 0\.5\n", line)


def test_a_line_is_written_once_however_often_the_logger_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.log"
    for _ in range(3):
        logger = get_logger("logtest_b", path)
    get_logger("logtest_b.part").info("once")
    assert logger.name == "logtest_b"
    assert path.read_text(encoding="utf-8").count("once") == 1
    assert capsys.readouterr().err.count("once") == 1


def test_a_second_file_may_be_added_and_a_file_continued(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("before\n", encoding="utf-8")
    get_logger("logtest_c", first, file_mode="a")
    get_logger("logtest_c", second).info("both")
    assert first.read_text(encoding="utf-8").startswith("before\n")
    assert "both" in first.read_text(encoding="utf-8")
    assert "both" in second.read_text(encoding="utf-8")


def test_other_ranks_log_errors_only_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    logger = get_logger("logtest_d", tmp_path / "run.log")
    logger.info("quiet")
    logger.error("loud")
    text = capsys.readouterr().err
    assert "loud" in text
    assert "quiet" not in text
    assert not (tmp_path / "run.log").exists()
    assert current_rank() == 1


def test_nothing_comes_twice_where_the_root_logger_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers, handler])
    get_logger("logtest_e").warning("only here")
    assert capsys.readouterr().err.count("only here") == 1


def test_the_level_is_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    logger = get_logger("logtest_f", log_level="WARNING")
    logger.info("below")
    logger.warning("above")
    text = capsys.readouterr().err
    assert "above" in text
    assert "below" not in text


def test_a_message_goes_where_the_logger_argument_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_log("to stdout")
    print_log("nowhere", logger="silent")
    print_log("by name", logger="logtest_g")
    print_log("by object", logger=logging.getLogger("logtest_g"), level=logging.ERROR)
    captured = capsys.readouterr()
    assert captured.out == "to stdout\n"
    assert "logtest_g - INFO - by name" in captured.err
    assert "logtest_g - ERROR - by object" in captured.err
    assert "nowhere" not in captured.err
    with pytest.raises(TypeError, match="logger must be"):
        print_log("x", logger=3)  # type: ignore[arg-type]


def test_a_terminal_gets_colour_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from cvcore.terminal import ShortLineHandler

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(get_logger("logtest_h").handlers[0], ShortLineHandler)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert type(get_logger("logtest_i").handlers[0]) is log_module.TerminalHandler


def test_what_is_for_the_file_alone_stays_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = get_logger("logtest_file_only", tmp_path / "a.log")
    logger.propagate = False  # pytest's own handler
    logger.info("a whole config", extra=FILE_ONLY)
    logger.info("one line")
    lines = (tmp_path / "a.log").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(" - ")[2] for line in lines] == ["a whole config", "one line"]
    shown = capfd.readouterr().err
    assert "one line" in shown
    assert "a whole config" not in shown
