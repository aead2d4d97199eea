"""The documentation's examples give what they show."""

from __future__ import annotations

import doctest
import re
import textwrap
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
FENCE = re.compile(
    r"^(?P<indent> *)```python *\n(?P<code>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL
)


def examples(page: Path) -> list[doctest.DocTest]:
    """The ``>>>`` sessions of a page, which share their names as a reader would have them."""
    text = page.read_text(encoding="utf-8")
    parser, names, tests = doctest.DocTestParser(), {"__name__": "__main__"}, []
    for fence in FENCE.finditer(text):
        code = textwrap.dedent(fence["code"])
        if ">>>" in code:
            line = text.count("\n", 0, fence.start()) + 1
            test = parser.get_doctest(code, {}, page.name, str(page), line)
            test.globs = names
            tests.append(test)
    return tests


PAGES = sorted(page for page in DOCS.rglob("*.md") if examples(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_examples_of_a_page_give_what_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    for test in examples(page):
        runner.run(test, out=said.append, clear_globs=False)
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 0


def test_every_module_of_cvcore_has_its_page() -> None:
    pages = {page.stem for page in (DOCS / "reference").glob("*.md")}
    foundation = {"config", "registry", "fileio", "runner", "parallel", "dist"}
    assert foundation | {"cnn", "ops", "image", "utils"} <= pages


def test_the_table_of_layers_names_what_the_registries_hold() -> None:
    from cvcore import cnn

    text = (DOCS / "reference" / "cnn.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == 7
    for registry, names in rows:
        # Other packages and tests register parts too; those of cvcore and torch are listed.
        own = {
            name
            for name, layer in getattr(cnn, registry).module_dict.items()
            if layer.__module__.startswith(("torch.", "cvcore."))
        }
        assert own == set(names.split(", ")), registry


def test_the_table_of_hooks_names_what_the_registry_holds() -> None:
    from cvcore.runner import HOOKS

    text = (DOCS / "reference" / "runner.md").read_text(encoding="utf-8")
    listed = set()
    for row in re.findall(r"^\| [a-z ,=`]+ \| (`.+) \|$", text, re.MULTILINE):
        (ending,) = re.findall(r"`\.\.\.(\w+)`", row) or [""]
        names = re.findall(r"`([A-Z]\w+)`", row)
        listed |= {f"{name}{ending}" for name in names}
    hooks = HOOKS.module_dict.items()
    own = {name for name, hook in hooks if hook.__module__.startswith("cvcore.")}
    # An evaluation needs a loader: it is made in code, not named in a config.
    assert listed == own | {"EvalHook", "DistEvalHook"}


def test_an_example_that_shows_something_else_fails(tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text("```python\n>>> 1 + 1\n3\n\n```\n")
    (test,) = examples(page)
    runner = doctest.DocTestRunner()
    runner.run(test, out=lambda text: None)
    assert runner.failures == 1
