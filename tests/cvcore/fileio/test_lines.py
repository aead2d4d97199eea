"""Text files with one item a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvcore.errors import FileError
from cvcore.fileio import FileClient, dict_from_file, list_from_file


def test_a_list_is_the_lines_or_some_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\r\nb\nc\n", encoding="utf-8")
    assert list_from_file(path) == ["a", "b", "c"]
    assert list_from_file(path, prefix="x/", offset=1) == ["x/b", "x/c"]
    assert list_from_file(str(path), offset=1, max_num=1) == ["b"]
    assert list_from_file(path, max_num=9) == ["a", "b", "c"]


def test_a_dict_is_the_first_word_of_a_line_to_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 cat\n2 dog puppy\n", encoding="utf-8")
    assert dict_from_file(path) == {"1": "cat", "2": ["dog", "puppy"]}
    assert dict_from_file(path, key_type=int)[2] == ["dog", "puppy"]
    path.write_text("1 cat\n2\n", encoding="utf-8")
    with pytest.raises(FileError, match=r"a\.txt, line 2: needs a key and a value, got '2'"):
        dict_from_file(path)


def test_lines_come_from_any_storage() -> None:
    FileClient("memory").put_text("é\n", "memory://lines/a.txt")
    assert list_from_file("memory://lines/a.txt") == ["é"]
    FileClient("memory").put("é x\n".encode("latin-1"), "memory://lines/b.txt")
    assert dict_from_file(
        "memory://lines/b.txt", encoding="latin-1", file_client_args={"backend": "memory"}
    ) == {"é": "x"}
