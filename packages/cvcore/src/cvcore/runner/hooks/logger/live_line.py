"""One line on the terminal that shows how far an epoch is, under whatever else is logged."""

from __future__ import annotations

import logging
import time

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

BAR_WIDTH = 24
SECONDS_BETWEEN = 0.1


class LiveLine:
    """Draws the line, and takes it away while a message is logged.

    Nothing happens where the console is no terminal.

    Args:
        console: Where to draw.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.enabled = self.console.is_terminal
        self._shown = False
        self._drawn_at = 0.0
        self._cleaner = _Cleaner(self)
        self._handlers: list[logging.Handler] = []

    def attach(self, logger: logging.Logger) -> None:
        """Make way for the messages of ``logger``."""
        current: logging.Logger | None = logger
        while self.enabled and current is not None:
            for handler in current.handlers:
                if not isinstance(handler, logging.FileHandler):
                    handler.addFilter(self._cleaner)
                    self._handlers.append(handler)
            current = current.parent if current.propagate else None

    def detach(self) -> None:
        """Clear the line and leave the loggers alone."""
        self.clear()
        for handler in self._handlers:
            handler.removeFilter(self._cleaner)
        self._handlers.clear()

    def show(self, done: int, total: int, text: str) -> None:
        """Draw ``done`` of ``total`` and a text, at most ten times a second."""
        now = time.monotonic()
        if not self.enabled or now - self._drawn_at < SECONDS_BETWEEN:
            return
        self._drawn_at = now
        self.clear()
        filled = BAR_WIDTH * done // max(total, 1)
        line = Text("━" * filled, style="green")
        line.append("━" * (BAR_WIDTH - filled), style="dim")
        line.append(f" {done}/{total} {text}", style="default")
        line.truncate(max(self.console.width - 1, 1), overflow="ellipsis")
        self.console.print(line, end="\r", soft_wrap=True)
        self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            self.console.control(
                Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
            )


class _Cleaner(logging.Filter):
    """Lets every message through, with the line out of its way."""

    def __init__(self, line: LiveLine) -> None:
        super().__init__()
        self.line = line

    def filter(self, record: logging.LogRecord) -> bool:
        self.line.clear()
        return True
