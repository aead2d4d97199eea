"""Lists and dicts from text files with one item a line."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from cvcore.errors import FileError
from cvcore.fileio.client import FileClient


def list_from_file(
    filename: str | Path,
    prefix: str = "",
    offset: int = 0,
    max_num: int = 0,
    encoding: str = "utf-8",
    file_client_args: dict[str, Any] | None = None,
) -> list[str]:
    """The lines of a text file.

    Args:
        filename: Path or address.
        prefix: Put before every line.
        offset: How many lines to pass over first.
        max_num: At most so many lines; 0 for all.
        encoding: Of the file.
        file_client_args: Of the :class:`FileClient` that reads it.
    """
    client = FileClient.infer_client(file_client_args, filename)
    lines = client.get_text(filename, encoding).splitlines()
    end = offset + max_num if max_num > 0 else None
    return [prefix + line for line in islice(lines, offset, end)]


def dict_from_file(
    filename: str | Path,
    key_type: type = str,
    encoding: str = "utf-8",
    file_client_args: dict[str, Any] | None = None,
) -> dict[Any, str | list[str]]:
    """First word to the rest of each line: a text where that is one word, else a list of words."""
    mapping: dict[Any, str | list[str]] = {}
    for number, line in enumerate(list_from_file(filename, "", 0, 0, encoding, file_client_args)):
        words = line.split()
        if len(words) < 2:
            raise FileError(f"{filename}, line {number + 1}: needs a key and a value, got {line!r}")
        mapping[key_type(words[0])] = words[1:] if len(words) > 2 else words[1]
    return mapping
