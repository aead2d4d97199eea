"""A COCO json a block of annotations at a time, so that never all of them are Python objects.

The text is cut between what look like two annotations, and every piece, with brackets about it, is
parsed as a list of its own. If all of them are json, and so is the text with another list in the
place of the annotations, then the text is json, and its annotations are those of the pieces one
after the other: that is how json's grammar has lists. A cut at a wrong place, such as inside a
text, leaves a piece that is no json. So nothing rests on where the cuts are looked for.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any

from detcore.datasets.coco.source import parsed

_START = re.compile(rb'"annotations"\s*:\s*\[')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_END = re.compile(rb"\}\s*\](?=\s*(?:,\s*\"|\}))")
_TRIES = 4  # places that look like the end of the annotations
_BLOCK = 1 << 15  # bytes of a piece: its objects stay in the processor's cache


def split(content: bytes) -> tuple[dict[str, Any], Iterator[list[Any]]] | None:
    """The document with no annotations in their place, and the annotations in pieces.

    None where the text cannot be split. A piece that is not json raises a ValueError when it is
    asked for; the whole text, parsed at once, then says what is wrong, if anything is.
    """
    start = _START.search(content)
    if start is None:
        return None
    for end in islice(_END.finditer(content, start.end()), _TRIES):
        document = _without(content, start.end() - 1, end.end())
        if document is not None:
            return document, _pieces(content, start.end(), end.start() + 1)
    return None


def _without(content: bytes, start: int, end: int) -> dict[str, Any] | None:
    """The document with an empty list for its annotations; None if they are not start:end."""
    mark = secrets.token_hex(16)  # which the text cannot hold
    try:
        document = parsed(b'%b["%b"]%b' % (content[:start], mark.encode(), content[end:]))
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("annotations") != [mark]:
        return None
    return {**document, "annotations": []}


def _pieces(content: bytes, start: int, end: int) -> Iterator[list[Any]]:
    while True:
        cut = _BETWEEN.search(content, start + _BLOCK, end)
        stop = end if cut is None else cut.start() + 1
        yield parsed(b"[%b]" % content[start:stop])
        if cut is None:
            return
        start = cut.end() - 1
