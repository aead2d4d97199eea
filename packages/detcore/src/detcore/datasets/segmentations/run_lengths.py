"""Compressed run lengths, as COCO writes masks: many at once as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle

_FIRST = 48  # the character that stands for 0
_MORE, _SIGN, _BITS = 0x20, 0x10, 0x1F  # of the six bits of a character


def covered_pixels(counts: Sequence[bytes]) -> np.ndarray:
    """(k,) int64, the pixels that each mask's runs add up to; -1 where the text is cut short.

    Args:
        counts: Run lengths in COCO's text form: numbers of five bits a character, lowest first;
            from the fourth on each is the difference to the one before the last.
    """
    lengths = np.array([len(text) for text in counts], dtype=np.int64)
    totals = np.zeros(len(counts), dtype=np.int64)
    if not lengths.sum():
        return totals
    characters = np.frombuffer(b"".join(counts), dtype=np.uint8).astype(np.int64) - _FIRST
    owner = np.repeat(np.arange(len(counts)), lengths)
    last = np.cumsum(lengths) - 1
    cut_short = (lengths > 0) & ((characters[last] & _MORE) != 0)
    is_end = (characters & _MORE) == 0
    is_end[last[lengths > 0]] = True  # what one text leaves open is not the next one's
    ends = np.flatnonzero(is_end)
    numbers, owner = _numbers(characters, ends), owner[ends]
    position = np.arange(len(ends)) - np.searchsorted(owner, owner)
    count = np.bincount(owner, minlength=len(counts))[owner]
    # A difference is part of its own run and of every second one after it; the first is alone.
    part_of = np.where(position == 0, 1, (count - 1 - position) // 2 + 1)
    np.add.at(totals, owner, numbers * part_of)
    totals[cut_short] = -1
    return totals


def decode_window(run: Mapping[str, Any], box: Sequence[int]) -> np.ndarray:
    """The part of a bitmap that has all its pixels, without the bitmap around it.

    Args:
        run: ``size``, (height, width), and ``counts`` in COCO's text form.
        box: x, y, width and height in pixels of what is set.

    Returns:
        (box height, box width) uint8, contiguous.

    Raises:
        ValueError: The runs are not as many pixels as the bitmap has.
    """
    x, y, wide, high = box
    height, width = run["size"]
    runs = _runs(run["counts"])
    if not len(runs) or runs.min() < 0 or runs.sum() != height * width:
        bitmap: np.ndarray = rle.decode(dict(run))  # which says what is wrong
        return np.ascontiguousarray(bitmap[y : y + high, x : x + wide])
    # Runs go down the columns: nothing is set before the first one of the window, nor behind it.
    runs[0] -= x * height
    runs[-1] += wide * height - runs.sum()
    bits = np.arange(len(runs)) % 2
    columns = np.repeat(bits.astype(np.uint8), runs).reshape(wide, height)
    return np.ascontiguousarray(columns[:, y : y + high].T)


def _runs(counts: bytes | str) -> np.ndarray:
    """(n,) int64 lengths of the runs, of unset pixels first; empty where the text is cut short."""
    text = counts.encode("ascii") if isinstance(counts, str) else counts
    characters = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - _FIRST
    ends = np.flatnonzero((characters & _MORE) == 0)
    if not len(ends) or ends[-1] != len(characters) - 1:
        return np.zeros(0, dtype=np.int64)
    runs = _numbers(characters, ends)
    for each in (runs[1::2], runs[2::2]):  # differences to the one before the last
        np.cumsum(each, out=each)
    return runs


def _numbers(characters: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(len(ends),) int64 numbers whose last characters are at `ends`."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    shift = 5 * (np.arange(len(characters)) - np.repeat(starts, ends - starts + 1))
    values = np.add.reduceat((characters & _BITS) << shift, starts)
    negative = (characters[ends] & _SIGN) != 0
    return values - np.where(negative, np.int64(1) << (shift[ends] + 5), 0)
