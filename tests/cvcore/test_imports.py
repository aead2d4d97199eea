"""Modules by name, and prerequisites of functions."""

from __future__ import annotations

import json
import os.path
import sys
from pathlib import Path

import pytest

from cvcore.errors import MissingExtraError
from cvcore.imports import (
    check_prerequisites,
    import_modules_from_strings,
    import_submodules,
    requires_executable,
    requires_package,
)


def test_a_name_gives_a_module_and_a_list_a_list() -> None:
    assert import_modules_from_strings("os.path") is os.path
    assert import_modules_from_strings(["json", "os.path"]) == [json, os.path]
    assert import_modules_from_strings(None) is None
    assert import_modules_from_strings([]) is None


def test_a_module_that_cannot_be_imported_is_an_error_or_a_warning() -> None:
    with pytest.raises(ImportError, match="cannot import 'no_such_module_x'"):
        import_modules_from_strings("no_such_module_x")
    with pytest.warns(UserWarning, match="left out"):
        assert import_modules_from_strings(["json", "no_such_x"], True) == [json, None]
    with pytest.raises(TypeError, match="a name or a list of names"):
        import_modules_from_strings([1])  # type: ignore[list-item]


def test_every_module_below_a_package_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree_x" / "deep").mkdir(parents=True)
    for name in ("__init__", "flat", "deep/__init__", "deep/leaf"):
        (tmp_path / "tree_x" / f"{name}.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import_submodules("tree_x")
    assert {"tree_x", "tree_x.flat", "tree_x.deep", "tree_x.deep.leaf"} <= set(sys.modules)
    import_submodules("json.decoder")


def test_a_function_runs_only_with_what_it_needs() -> None:
    @check_prerequisites(["a", "b", "c"], lambda name: name != "b", "{} for {}")
    def work() -> int:
        """Documented."""
        return 1

    with pytest.raises(MissingExtraError, match=r"^b for work$"):
        work()
    assert work.__doc__ == "Documented."


def test_packages_and_programs_are_looked_for_when_called() -> None:
    @requires_package("json")
    @requires_executable([])
    def fine(value: int) -> int:
        return value

    @requires_package(["json", "no_such_module_x.inner"])
    def no_package() -> None: ...

    @requires_executable("no-such-program-x")
    def no_program() -> None: ...

    assert fine(3) == 3
    with pytest.raises(
        ImportError, match=r'"no_such_module_x\.inner" are required in .*no_package'
    ):
        no_package()
    with pytest.raises(ImportError, match="no-such-program-x"):
        no_program()
