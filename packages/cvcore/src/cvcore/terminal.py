"""Log lines for a terminal: the time, the message, and nothing that breaks a path in two."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleRenderable, Group
from rich.logging import RichHandler
from rich.text import Text

if TYPE_CHECKING:
    from rich.traceback import Traceback  # brings a syntax highlighter along

COLORS = {logging.WARNING: "yellow", logging.ERROR: "bold red", logging.CRITICAL: "bold red"}


class ShortLineHandler(RichHandler):
    """Write ``12:30:05 message``; the level is named from warnings on.

    Lines longer than the terminal are wrapped by it and not cut up beforehand, so that a path or a
    command can be copied whole; further lines of a message, of a table say, begin at the left edge.

    Args:
        console: Where to write; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True, soft_wrap=True)
        super().__init__(console=console, show_path=False, markup=False)

    def render(
        self,
        *,
        record: logging.LogRecord,
        traceback: Traceback | None,
        message_renderable: ConsoleRenderable,
    ) -> ConsoleRenderable:
        """One line, or a message of several lines under the time."""
        line = Text(f"{datetime.fromtimestamp(record.created):%H:%M:%S} ", style="dim")
        if record.levelno >= logging.WARNING:
            line.append(f"{record.levelname.lower()}: ", COLORS.get(record.levelno, ""))
        if not isinstance(message_renderable, Text):
            return Group(line, message_renderable)
        line.append_text(Text(style="not dim").append_text(message_renderable))
        return line if traceback is None else Group(line, traceback)
