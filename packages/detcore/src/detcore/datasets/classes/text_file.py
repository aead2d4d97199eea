"""Class names from a text file."""

from __future__ import annotations

from pathlib import Path

from detcore.errors import ClassMismatchError


def read_class_file(path: str) -> list[str]:
    """The names in a text file, one a line; empty lines at its end do not count.

    Raises:
        ClassMismatchError: There is no such file, it is not UTF-8, or a line in it is empty.
    """
    file = Path(path)
    if not file.is_file():
        raise ClassMismatchError(
            f"classes={path!r} is one string, and no file of that name exists: write "
            f"classes=({path!r},) with a comma for a single class, or give the path of a text "
            "file with one name a line"
        )
    try:
        # Universal newlines, and without the mark that Windows editors put first.
        lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ClassMismatchError(
            f"{path}: not a text file in UTF-8 (byte {error.start}); save it again as UTF-8"
        ) from error
    names = [line.strip() for line in lines]
    if not all(names):
        raise ClassMismatchError(
            f"{path}:{names.index('') + 1}: an empty line among the class names; remove it"
        )
    return names
