"""One rank-aware logger per name: plain text to files, colour only on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
# ``logger.info(long_text, extra=FILE_ONLY)`` reaches log files and leaves the terminal alone.
FILE_ONLY: Mapping[str, bool] = MappingProxyType({"file_only": True})

_initialised: set[str] = set()


class TerminalHandler(logging.StreamHandler):
    """Write to whatever ``sys.stderr`` is at the moment of the message.

    Silent where the root logger prints to the terminal itself, so that no line comes twice.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        for handler in logging.getLogger().handlers:
            if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
                return
        self.stream = sys.stderr
        super().emit(record)


def get_logger(
    name: str,
    log_file: str | Path | None = None,
    log_level: int | str = logging.INFO,
    file_mode: str = "w",
) -> logging.Logger:
    """The logger of that name, set up on the first call.

    Ranks other than 0 log errors only, and never to the file. A logger below one that is set up
    already (``detcore.apis`` below ``detcore``) uses its handlers.

    Args:
        name: Dotted name.
        log_file: Also write to this file; a second call may add one.
        log_level: Lowest level that rank 0 logs.
        file_mode: How the file is opened: ``"w"`` or ``"a"``.
    """
    logger = logging.getLogger(name)
    rank = current_rank()
    if rank == 0 and log_file is not None:
        _add_file(logger, Path(log_file), file_mode)
    if name in _initialised:
        return logger
    inherits = any(name.startswith(f"{parent}.") for parent in _initialised)
    if not inherits:
        logger.addHandler(_terminal_handler())
        logger.setLevel(log_level if rank == 0 else logging.ERROR)
        _initialised.add(name)
    return logger


def print_log(
    msg: object, logger: logging.Logger | str | None = None, level: int = logging.INFO
) -> None:
    """Log a message through ``logger``.

    Args:
        msg: The message.
        logger: A logger; ``None`` writes to stdout; ``"silent"`` drops the message; any other text
            is the name of a logger.
        level: Level of the message; unused on stdout.
    """
    if logger is None:
        sys.stdout.write(f"{msg}\n")
    elif isinstance(logger, logging.Logger):
        logger.log(level, msg)
    elif logger == "silent":
        return
    elif isinstance(logger, str):
        get_logger(logger).log(level, msg)
    else:
        raise TypeError(
            f"logger must be a logging.Logger, a name, 'silent' or None, not {type(logger)}"
        )


def current_rank() -> int:
    """Rank of this process, without importing torch and without starting anything."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    return int(os.environ.get("RANK") or 0)


def _add_file(logger: logging.Logger, path: Path, mode: str) -> None:
    target = str(path.absolute())
    if any(getattr(handler, "baseFilename", None) == target for handler in logger.handlers):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode, encoding="utf-8")
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)


def _terminal_handler() -> logging.Handler:
    if sys.stderr is not None and sys.stderr.isatty():
        from cvcore.terminal import ShortLineHandler

        handler: logging.Handler = ShortLineHandler()
    else:
        handler = TerminalHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(_is_for_the_terminal)
    return handler


def _is_for_the_terminal(record: logging.LogRecord) -> bool:
    return not getattr(record, "file_only", False)
