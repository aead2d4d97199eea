"""The fenced blocks of a page, and how each kind is carried out as its reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "packages" / name / "src" for name in ("cvcore", "detcore")]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*) *\n(?P<code>.*?)^(?P=indent)``` *$",
    re.MULTILINE | re.DOTALL,
)
FILE_NAME = re.compile(r"# (?P<name>[\w/]+\.(?:py|toml))\n")
OURS = {"detcore", "detcore-train", "detcore-test"}


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    code: str
    line: int  # of the page, counted from 1

    @property
    def file(self) -> str | None:
        """The file that the reader is shown: its name is the comment in the first line."""
        found = FILE_NAME.match(self.code)
        return found["name"] if found else None


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks in order."""
    for fence in FENCE.finditer(text):
        code = textwrap.dedent(fence["code"])
        yield Block(fence["language"], code, text.count("\n", 0, fence.start()) + 1)


def commands(block: Block) -> list[list[str]]:
    """The commands of a console block as words, without comments, with continued lines joined."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@dataclass
class Reader:
    """Goes through a page in a folder of its own, as someone at a terminal and in Python would."""

    folder: Path
    # What the test adds to commands that would take hours or need the network, by their beginning.
    added: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})

    def follow(self, page: Path) -> int:
        """Carry out every block in order; how many there were."""
        done = 0
        for block in blocks(page.read_text(encoding="utf-8")):
            where = f"{page.name}:{block.line}"
            if block.file is not None:
                target = self.folder / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.code, encoding="utf-8")
            elif block.language == "python" and ">>>" not in block.code:
                exec(compile(block.code, where, "exec"), self.names)
            elif block.language == "console":
                for command in commands(block):
                    self.carry_out(command, where)
            else:
                continue
            done += 1
        return done

    def carry_out(self, command: Sequence[str], where: str) -> None:
        """Run a command of the project or a script; what installs or takes minutes is looked up."""
        program = command[0]
        if program == "pip":
            assert command[1] == "install", f"{where}: {command}"
            unknown = set(command[2:]) - installable()
            assert not unknown, f"{where}: nothing to install by the name of {unknown}"
        elif program == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(command[1:]) <= set(targets), f"{where}: no such target, {command}"
        else:
            self.run(self.whole(command), where)

    def whole(self, command: Sequence[str]) -> list[str]:
        program = command[0]
        assert program in {*OURS, "python"}, f"{program} is not a command that a page may show"
        own = sys.executable if program == "python" else Path(sys.executable).with_name(program)
        shown = " ".join(command)
        more = next((add for start, add in self.added.items() if shown.startswith(start)), [])
        return [str(own), *command[1:], *more]

    def run(self, command: Sequence[str], where: str) -> None:
        path = os.pathsep.join(map(str, SOURCES))
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{where}: {shlex.join(command)}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said


def installable() -> set[str]:
    """The two packages, alone and with each of their extras."""
    names = set()
    for package in ("cvcore", "detcore"):
        text = (ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
        (_, _, extras) = text.partition("[project.optional-dependencies]\n")
        found = re.findall(r"^(\w+) = \[", extras.partition("\n[")[0], re.MULTILINE)
        names |= {package, *(f"{package}[{extra}]" for extra in found)}
    return names
