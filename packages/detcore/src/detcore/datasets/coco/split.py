"""Share the images of a COCO file out, so that every part has its share of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detcore.errors import AnnotationError, OptionError


def split_document(
    document: Mapping[str, Any], shares: Mapping[str, float], seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Share a COCO document's images out over named parts.

    Iterative stratification (Sechidis et al., "On the Stratification of Multi-Label Data", 2011):
    the images of the rarest class are dealt first, each to the part that lacks most of it.

    Args:
        document: With ``images``, ``annotations`` and ``categories``.
        shares: Positive share of each part; they are scaled to a sum of 1.
        seed: Of the order among equals.

    Returns:
        A document for each part, with the images in their old order; every image is in one part.

    Raises:
        OptionError: A share is not positive.
        AnnotationError: There are fewer images than parts.
    """
    if not shares or min(shares.values()) <= 0:
        raise OptionError(f"shares of the parts are positive numbers, not {dict(shares)}")
    images = document["images"]
    if len(images) < len(shares):
        raise AnnotationError(f"{len(images)} images cannot be shared out over {len(shares)} parts")
    fractions = np.array(list(shares.values()), dtype=float)
    part_of = stratify(_presence(document), fractions / fractions.sum(), seed)
    return {
        name: subset(document, np.flatnonzero(part_of == part).tolist())
        for part, name in enumerate(shares)
    }


def subset(document: Mapping[str, Any], positions: Sequence[int]) -> dict[str, Any]:
    """The document with some of its images, and with their annotations only."""
    images = [document["images"][i] for i in positions]
    ids = {image["id"] for image in images}
    kept = [one for one in document.get("annotations", ()) if one["image_id"] in ids]
    return {**document, "images": images, "annotations": kept}


def _presence(document: Mapping[str, Any]) -> np.ndarray:
    """(images, categories) bool: which image shows which category."""
    row = {image["id"]: i for i, image in enumerate(document["images"])}
    column = {category["id"]: i for i, category in enumerate(document["categories"])}
    present = np.zeros((len(row), len(column)), dtype=bool)
    for one in document.get("annotations", ()):
        if one["image_id"] in row and one["category_id"] in column:
            present[row[one["image_id"]], column[one["category_id"]]] = True
    return present


def stratify(present: np.ndarray, fractions: np.ndarray, seed: int = 0) -> np.ndarray:
    """Deal items out.

    Args:
        present: (n, c) bool, which item has which label; an item may have several or none.
        fractions: (p,) share of each part; their sum is 1.
        seed: Of the order among equals.

    Returns:
        (n,) int64, the part of each item. Sizes are within one of the exact shares.
    """
    random = np.random.default_rng(seed)
    part_of = np.full(len(present), -1, dtype=np.int64)
    room = _sizes(len(present), fractions)
    wanted = present.sum(axis=0)[:, None] * fractions[None, :]  # (c, p) still to be dealt
    for item in _rarest_first(present, random):
        own = present[item]
        lack = np.where(room > 0, 0.0, -np.inf)
        if own.any():
            # What it lacks most of, relative to its share; the rarest label of the item decides.
            rarest = np.flatnonzero(own)[present[:, own].sum(axis=0).argmin()]
            lack = lack + wanted[rarest] / fractions
        best = np.flatnonzero(lack >= lack.max() - 1e-12)
        part = int(best[room[best].argmax()]) if len(best) > 1 else int(best[0])
        part_of[item] = part
        room[part] -= 1
        wanted[own, part] -= 1
    return part_of


def _sizes(total: int, fractions: np.ndarray) -> np.ndarray:
    """(p,) whole numbers near the shares, with their sum exact, and none of them 0."""
    exact = total * fractions
    sizes = np.floor(exact).astype(np.int64)
    for part in np.argsort(sizes - exact, kind="stable")[: total - sizes.sum()]:
        sizes[part] += 1
    for part in np.flatnonzero(sizes == 0):
        sizes[sizes.argmax()] -= 1
        sizes[part] = 1
    return sizes


def _rarest_first(present: np.ndarray, random: np.random.Generator) -> list[int]:
    """Items ordered by how rare their rarest label is; those without a label come last."""
    frequency = present.sum(axis=0)
    rarest = np.where(present, frequency[None, :], len(present) + 1).min(
        axis=1, initial=len(present) + 1
    )
    shuffled = random.permutation(len(present))
    order: list[int] = shuffled[np.argsort(rarest[shuffled], kind="stable")].tolist()
    return order
