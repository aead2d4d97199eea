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
from dataclasses import dataclass
from itertools import islice
from typing import Any

from detcore.datasets.coco.source import parsed

_START = re.compile(rb'"annotations"\s*:\s*\[')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_END = re.compile(rb"\}\s*\](?=\s*(?:,\s*\"|\}))")
_TRIES = 4  # places that look like the end of the annotations
_BLOCK = 1 << 15  # bytes of a piece: its objects stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text that holds annotations, with commas between them."""

    content: bytes
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def pieces(self) -> Iterator[list[Any]]:
        """Its annotations, some at a time.

        Raises:
            ValueError: A piece is not json. The whole text, parsed at once, then says what is
                wrong, if anything is.
        """
        start = self.start
        while True:
            cut = _BETWEEN.search(self.content, start + _BLOCK, self.end)
            stop = self.end if cut is None else cut.start() + 1
            yield parsed(b"[%b]" % self.content[start:stop])
            if cut is None:
                return
            start = cut.end() - 1

    def shares(self, number: int) -> list[Stretch]:
        """So many stretches of about the same length, or fewer, that follow one another."""
        starts, ends = [self.start], []
        for share in range(1, number):
            place = max(self.start + len(self) * share // number, starts[-1])
            cut = _BETWEEN.search(self.content, place, self.end)
            if cut is None:
                break
            ends.append(cut.start() + 1)
            starts.append(cut.end() - 1)
        ends.append(self.end)
        return [Stretch(self.content, *part) for part in zip(starts, ends, strict=True)]


def split(content: bytes) -> tuple[dict[str, Any], Stretch] | None:
    """The document with no annotations in their place, and the annotations.

    None where the text cannot be split.
    """
    start = _START.search(content)
    if start is None:
        return None
    for end in islice(_END.finditer(content, start.end()), _TRIES):
        document = _without(content, start.end() - 1, end.end())
        if document is not None:
            return document, Stretch(content, start.end(), end.start() + 1)
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
