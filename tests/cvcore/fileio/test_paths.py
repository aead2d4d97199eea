"""Paths, and files that are complete or absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvcore.fileio import (
    atomic_write,
    check_file_exist,
    fopen,
    is_filepath,
    mkdir_or_exist,
    scandir,
    symlink,
)


def test_a_path_is_text_or_a_path(tmp_path: Path) -> None:
    assert is_filepath("a")
    assert is_filepath(tmp_path)
    assert not is_filepath(3)
    with fopen(tmp_path / "a.txt", "w", encoding="utf-8") as file:
        file.write("x")
    with fopen(str(tmp_path / "a.txt"), encoding="utf-8") as file:
        assert file.read() == "x"
    with pytest.raises(ValueError, match="not int"):
        fopen(3)  # type: ignore[arg-type]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    check_file_exist(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r'no ".*b" here'):
        check_file_exist(tmp_path / "b", 'no "{}" here')


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    for _ in range(2):
        mkdir_or_exist(tmp_path / "a" / "b")
    mkdir_or_exist("")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_link_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1", encoding="utf-8")
    (tmp_path / "two").write_text("2", encoding="utf-8")
    link = tmp_path / "latest"
    symlink("one", link)
    symlink("two", link)
    assert link.read_text(encoding="utf-8") == "2"
    with pytest.raises(FileExistsError):
        symlink("one", link, overwrite=False)


def test_a_folder_is_listed_in_order_by_suffix_and_depth(tmp_path: Path) -> None:
    for name in ("b.txt", "a.json", "C.TXT", ".hidden.txt", "sub/d.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(scandir(tmp_path)) == ["C.TXT", "a.json", "b.txt"]
    assert list(scandir(tmp_path, ".txt", recursive=True)) == [
        "b.txt",
        str(Path("sub/d.txt")),
    ]
    assert list(scandir(tmp_path, (".txt", ".JSON"), case_sensitive=False)) == [
        "C.TXT",
        "a.json",
        "b.txt",
    ]
    with pytest.raises(TypeError, match="suffix is text or a tuple"):
        scandir(tmp_path, 3)  # type: ignore[arg-type]


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")

    def stop_half_way() -> None:
        with atomic_write(path, "w") as file:
            file.write("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_on_disk_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("flush"), fsync(number)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))
    )
    with atomic_write(tmp_path / "a", "w") as file:
        file.write("x")
    assert order == ["flush", "rename", "flush"]


def test_text_is_utf8_and_permissions_are_the_usual_ones(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a", "w") as file:
        file.write("é")
    assert (tmp_path / "a").read_bytes() == "é".encode()
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_only_whole_files_are_written_so(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="mode must be 'w' or 'wb', not 'a'"),
        atomic_write(tmp_path / "a", "a"),
    ):
        pass
