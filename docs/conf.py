"""How Sphinx makes the site: the pages of this folder, and an API reference from docstrings."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
sys.path[:0] = [str(PACKAGES / name / "src") for name in ("cvcore", "detcore")]

from cvcore import __version__  # noqa: E402

project = "cvcore and detcore"
author = "The authors of cvcore and detcore"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["tutorials/classifier"]

html_theme = "furo"
html_title = "cvcore and detcore"
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

apidoc_modules = [
    {
        "path": str(PACKAGES / name / "src" / name),
        "destination": f"api/{name}",
        "exclude_patterns": ["**/configs/**"],
        "separate_modules": False,
        "module_first": True,
        "include_private": False,
        "automodule_options": {"members", "show-inheritance"},
    }
    for name in ("cvcore", "detcore")
]
# What a package only passes on is described where it lives.
autodoc_default_options = {"ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# `name` in a docstring is code, as in Markdown.
default_role = "code"
# A name that two modules have is shown, in a signature, without a link.
suppress_warnings = ["ref.python"]

_LITERAL = re.compile(r"(``.+?``|:\w+:`[^`]+`)")
_CODE = re.compile(r"(`[^`]+`)")
_STARS = re.compile(r"(?<!\\)\*+")


def read_as_markdown(*event: Any) -> None:
    """Let a star in a docstring be a star, and let letters follow on code, as Markdown does."""
    lines: list[str] = event[-1]
    lines[:] = ["".join(map(_plain, _LITERAL.split(line))) for line in lines]


def _plain(part: str) -> str:
    if _LITERAL.fullmatch(part):
        return part
    words = _CODE.split(part)  # text and code in turn
    for place, word in enumerate(words):
        if place % 2:
            words[place] = word + "\\ " * words[place + 1][:1].isalnum()
        else:
            words[place] = _STARS.sub(lambda stars: "\\*" * len(stars[0]), word)
    return "".join(words)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", read_as_markdown, priority=100)  # before napoleon
