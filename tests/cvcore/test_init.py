"""The top of cvcore: every name, and nothing heavy until it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cvcore


@pytest.mark.parametrize("name", cvcore.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(cvcore, name) is not None
    assert name in dir(cvcore)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        cvcore.no_such_name  # noqa: B018


def test_the_import_is_light() -> None:
    code = (
        "import sys, cvcore; cvcore.Config, cvcore.Registry, cvcore.load, cvcore.get_logger\n"
        "print(sorted({'torch', 'numpy', 'rich', 'yaml', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
