"""``{{ ... }}`` in the text of a config, and ``${key}`` in its values.

====================================== =====================================================
``{{ fileDirname }}``                  folder of the file
``{{ fileBasename }}``                 its name
``{{ fileBasenameNoExtension }}``      its name without the suffix
``{{ fileExtname }}``                  the suffix
``{{ _base_.model.neck }}``            a value of the files that it inherits from
``{{ $NAME:default }}``                an environment variable; without a default it must be set
``{{ None }}``                         None, for file formats that cannot say so
``${data.samples_per_gpu}``            a value of the finished config
====================================== =====================================================

Inside a longer text a placeholder becomes text. Outside quotes, or alone in a text, it keeps its
type; an environment variable is read as a literal only outside quotes.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cvcore.config.limits import Budget, LimitError
from cvcore.errors import ConfigError, hint

_PLACEHOLDER = re.compile(
    r"\{\{\s*(?P<body>"
    r"_base_\.[\w.]+"
    r"|fileDirname|fileBasenameNoExtension|fileBasename|fileExtname"
    r"|None"
    r"|\$\w+(?:\s*:[^{}\n]*)?"
    r")\s*\}\}"
)
# In data formats, what stands in quotes or in a comment is told from what stands bare.
_QUOTED_OR_PLACEHOLDER = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|(?<!\S)#[^\n]*|' + _PLACEHOLDER.pattern
)
_TOKEN = re.compile(r"cvcore_placeholder_(\d+)_(?:bare_)?end")
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


class Placeholders:
    """The placeholders of one text, which stands with a token in place of each.

    Attributes:
        text: The text with tokens; in Python a bare token is a name, elsewhere a quoted text.
    """

    def __init__(self, text: str, path: Path, python: bool, predefined: bool = True) -> None:
        self._path = path
        self._bodies: list[str] = []
        self._predefined = predefined
        if "{{" not in text:
            self.text = text
        elif python:
            self.text = _PLACEHOLDER.sub(self._token, text)
        else:
            self.text = _QUOTED_OR_PLACEHOLDER.sub(self._token_of_data, text)

    def __bool__(self) -> bool:
        return bool(self._bodies)

    @property
    def fixed(self) -> bool:
        """Whether the values depend on nothing but the file's own path."""
        return not any(body.startswith(("_base_", "$")) for body in self._bodies)

    @property
    def needs_bases(self) -> bool:
        """Whether a value comes from the files that this one inherits from."""
        return any(body.startswith("_base_") for body in self._bodies)

    def names(self, bases: Mapping[str, Any] | None) -> dict[str, Any]:
        """Token to value, for the tokens that stand as names in Python; None leaves bases out."""
        return {
            f"cvcore_placeholder_{index}_end": self._resolve(index, bases or {}, bare=True)
            for index, body in enumerate(self._bodies)
            if bases is not None or not body.startswith("_base_")
        }

    def fill(self, value: Any, bases: Mapping[str, Any]) -> Any:
        """Plain data with every token in its texts replaced; the data itself is left alone."""
        if not self._bodies:
            return value
        return _map_texts(value, lambda text: self._fill_text(text, bases))

    def fill_tree(self, tree: ast.Module, bases: Mapping[str, Any]) -> ast.Module:
        """The syntax tree with every token in its texts replaced, in place."""
        for node in ast.walk(tree) if self._bodies else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                filled = self._fill_text(node.value, bases)
                if filled is not node.value:
                    node.value = filled
        return tree

    def _token(self, match: re.Match[str]) -> str:
        body = match["body"]
        if body.startswith("file") and not self._predefined:
            return match[0]
        self._bodies.append(body)
        return f"cvcore_placeholder_{len(self._bodies) - 1}_end"

    def _token_of_data(self, match: re.Match[str]) -> str:
        if match["body"] is None:
            return match[0] if match[0][0] == "#" else _PLACEHOLDER.sub(self._token, match[0])
        token = self._token(match)
        return token if token == match[0] else f'"{token[:-3]}bare_end"'

    def _fill_text(self, text: str, bases: Mapping[str, Any]) -> Any:
        whole = _TOKEN.fullmatch(text)
        if whole:
            return self._resolve(int(whole[1]), bases, bare="bare" in text)
        budget = Budget()

        def part(match: re.Match[str]) -> str:
            value = str(self._resolve(int(match[1]), bases, bare=False))
            budget.text(len(value))
            return value

        return _TOKEN.sub(part, text)

    def _resolve(self, index: int, bases: Mapping[str, Any], bare: bool) -> Any:
        body = self._bodies[index]
        if body == "None":
            return None
        if body.startswith("$"):
            return self._environment(body, bare)
        if body.startswith("_base_."):
            return look_up(bases, body.removeprefix("_base_."), f"{self._path}: {{{{ {body} }}}}")
        return {
            "fileDirname": self._path.parent.as_posix(),
            "fileBasename": self._path.name,
            "fileBasenameNoExtension": self._path.stem,
            "fileExtname": self._path.suffix,
        }[body]

    def _environment(self, body: str, bare: bool) -> Any:
        name, colon, default = body[1:].partition(":")
        value = os.environ.get(name.strip(), default.strip() if colon else None)
        if value is None:
            raise ConfigError(
                f"{self._path}: the environment variable {name.strip()!r} is not set; set it, or "
                f"give a default: {{{{ ${name.strip()}:default }}}}"
            )
        if bare:
            try:
                return ast.literal_eval(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return value
        return value


def look_up(tree: Any, key: str, place: str) -> Any:
    """The value at a dotted key, whose parts are keys of dicts or indices of lists.

    Raises:
        ConfigError: There is none; the message begins with ``place``.
    """
    value = tree
    for part in key.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            known = [str(each) for each in value] if isinstance(value, Mapping) else []
            raise ConfigError(f"{place}: there is no {part!r} in {key!r}{hint(part, known)}")
    return value


def interpolate(tree: Mapping[str, Any], place: str = "config") -> dict[str, Any]:
    """A copy of the config in which every ``${key}`` stands replaced by the value at that key.

    Alone in its text a reference takes the value with its type; inside a longer text the value
    must be a scalar.

    Raises:
        ConfigError: A key is absent, refers to itself, or is a container inside a text; or the
            references multiply beyond what data needs.
    """
    budget = Budget()

    def resolve(text: str, waiting: tuple[str, ...]) -> Any:
        def value_of(key: str) -> Any:
            if key in waiting:
                chain = " -> ".join((*waiting, key))
                raise ConfigError(f"{place}: a reference leads back to itself: {chain}")
            value = look_up(tree, key, f"{place}: ${{{key}}}")
            return _map_texts(value, lambda inner: resolve(inner, (*waiting, key)))

        def as_text(match: re.Match[str]) -> str:
            value = value_of(match[1])
            if isinstance(value, dict | list | tuple):
                raise ConfigError(
                    f"{place}: {match[0]} is a {type(value).__name__} inside {text!r}"
                )
            return str(value)

        whole = _REFERENCE.fullmatch(text)
        resolved = value_of(whole[1]) if whole else _REFERENCE.sub(as_text, text)
        try:
            budget.measure(resolved)
        except LimitError as error:
            raise ConfigError(f"{place}: resolving {text!r} {error}") from error
        return resolved

    return _map_texts(tree, lambda text: resolve(text, ()) if "${" in text else text)


def _map_texts(value: Any, function: Callable[[str], Any]) -> Any:
    """A copy of plain data with the function applied to every text, keys of dicts too."""
    if isinstance(value, str):
        return function(value)
    if isinstance(value, dict):
        return {
            (function(key) if isinstance(key, str) else key): _map_texts(item, function)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_map_texts(item, function) for item in value]
    if isinstance(value, tuple):
        return tuple(_map_texts(item, function) for item in value)
    return value
