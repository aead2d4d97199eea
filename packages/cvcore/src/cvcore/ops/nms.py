"""Non-maximum suppression: hard, soft (arXiv 1704.04503), class by class, and as groups."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from cvcore.errors import ConfigError, hint
from cvcore.ops.torchvision_ops import keep_by_nms

# Pairs of boxes that are compared in the time of one more call.
_PAIRS_OF_A_CALL = 40_000

P = ParamSpec("P")
R = TypeVar("R")


def _numpy_in_numpy_out(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of tensors take arrays too, and answer in kind."""

    @functools.wraps(function)
    def either(*args: P.args, **kwargs: P.kwargs) -> R:
        values = [*args, *kwargs.values()]
        if not any(isinstance(value, np.ndarray) for value in values):
            return function(*args, **kwargs)
        tensors: Any = [_as_tensor(value) for value in args]
        keywords: Any = {name: _as_tensor(value) for name, value in kwargs.items()}
        return _as_array(function(*tensors, **keywords))

    return either


def _as_tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _as_array(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_as_array(item) for item in value)
    return value.numpy()


@_numpy_in_numpy_out
def nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    offset: int = 0,
    score_threshold: float = 0,
    max_num: int = -1,
    groups: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Keep the best boxes, dropping those that overlap a better one.

    Args:
        boxes: (n, 4) float, x1 y1 x2 y2 in pixels; a row that is not finite is dropped.
        scores: (n,) float.
        iou_threshold: A box goes when its overlap with a better one is above this.
        offset: 0, or 1 where a box's width is ``x2 - x1 + 1``.
        score_threshold: When positive, boxes must score above it.
        max_num: When positive, the largest number to keep.
        groups: (n,) int64, where boxes of different numbers are known not to overlap: they are not
            compared.

    Returns:
        Kept rows, (k, 5) boxes with scores, best first, and their (k,) int64 places in ``boxes``.
        Arrays for arrays, tensors for tensors.
    """
    if offset not in (0, 1):
        raise ConfigError(f"nms: offset is 0 or 1, not {offset!r}")
    valid = _finite(boxes, scores)
    if score_threshold > 0:
        valid = valid & (scores > score_threshold)
    corners, values = _inclusive(boxes, offset).detach(), scores.detach()
    if valid.all():
        keep = _keep(corners, values, iou_threshold, groups)
    else:
        rows = valid.nonzero().flatten()
        groups = None if groups is None else groups[rows]
        keep = rows[_keep(corners[rows], values[rows], iou_threshold, groups)]
    if max_num > 0:
        keep = keep[:max_num]
    return torch.cat((boxes[keep], scores[keep, None]), dim=1), keep


def _keep(
    boxes: Tensor, scores: Tensor, iou_threshold: float, groups: Tensor | None = None
) -> Tensor:
    # torchvision leaves boxes of equal score in the order they come in. Scores that saturate at 1
    # are many; they come in the order of torch's plain sort, which is what MMCV's kernel goes by.
    order = scores.sort(descending=True).indices
    boxes, scores = boxes[order], scores[order]
    if groups is None:
        return order[keep_by_nms(boxes, scores, iou_threshold)]
    groups = groups[order]
    together = groups.argsort(stable=True)
    counts = torch.unique_consecutive(groups[together], return_counts=True)[1]
    kept = [
        members[keep_by_nms(boxes[members], scores[members], iou_threshold)]
        for members in together.split(counts.tolist())
    ]
    return order[torch.cat(kept).sort().values] if kept else order


def _finite(boxes: Tensor, scores: Tensor) -> Tensor:
    return boxes.isfinite().all(dim=1) & scores.isfinite()


def _inclusive(boxes: Tensor, offset: int) -> Tensor:
    """Boxes whose plain areas and overlaps are those of ``boxes`` with ``offset``."""
    return boxes + boxes.new_tensor([0, 0, offset, offset]) if offset else boxes


@_numpy_in_numpy_out
def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    method: str = "linear",
    offset: int = 0,
) -> tuple[Tensor, Tensor]:
    """Lower the score of a box by how much it overlaps better ones, instead of dropping it.

    Args:
        boxes: (n, 4) float, x1 y1 x2 y2 in pixels; a row that is not finite is dropped.
        scores: (n,) float.
        iou_threshold: Overlap above which ``linear`` and ``naive`` act.
        sigma: Width of the Gaussian: a score is multiplied by ``exp(-iou**2 / sigma)``.
        min_score: A box goes when its score falls below.
        method: ``'linear'``, ``'gaussian'`` or ``'naive'`` (which is hard suppression).
        offset: 0, or 1 where a box's width is ``x2 - x1 + 1``.

    Returns:
        (k, 5) boxes with their lowered scores, best first, and their (k,) places in ``boxes``.
    """
    if method not in ("linear", "gaussian", "naive"):
        raise ConfigError(f"soft_nms: method is linear, gaussian or naive, not {method!r}")
    if offset not in (0, 1):
        raise ConfigError(f"soft_nms: offset is 0 or 1, not {offset!r}")
    rows = _finite(boxes, scores).nonzero().flatten()
    corners = _inclusive(boxes[rows], offset).detach().cpu().numpy().T
    decay = functools.partial(_decay, iou_threshold=iou_threshold, sigma=sigma, method=method)
    order, lowered = _pick_and_decay(
        np.ascontiguousarray(corners), scores[rows].detach().cpu().numpy().copy(), decay, min_score
    )
    keep = rows[torch.from_numpy(order).to(rows.device)]
    new_scores = torch.from_numpy(lowered).to(scores)
    return torch.cat((boxes[keep], new_scores[:, None]), dim=1), keep


def _decay(overlap: np.ndarray, iou_threshold: float, sigma: float, method: str) -> np.ndarray:
    """What scores are multiplied by, given the overlap with the box just picked."""
    if method == "gaussian":
        return np.exp(-(overlap * overlap) / sigma)
    above = overlap > iou_threshold
    return np.where(above, 1 - overlap if method == "linear" else 0, 1).astype(overlap.dtype)


def _pick_and_decay(
    corners: np.ndarray,
    scores: np.ndarray,
    decay: Callable[[np.ndarray], np.ndarray],
    min_score: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the best box, decay the others, and so on; their order and scores when taken."""
    places = np.arange(len(scores))
    areas = (corners[2] - corners[0]) * (corners[3] - corners[1])
    live = np.ones(len(scores), dtype=bool)
    order: list[int] = []
    lowered: list[float] = []
    while live.any():
        best = int(np.where(live, scores, -np.inf).argmax())
        order.append(int(places[best]))
        lowered.append(scores[best])
        x1, y1, x2, y2 = corners
        width = np.minimum(x2, x2[best]) - np.maximum(x1, x1[best])
        height = np.minimum(y2, y2[best]) - np.maximum(y1, y1[best])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        union = areas + areas[best] - inter
        scores = scores * decay(inter / np.where(union > 0, union, 1))
        live &= scores >= min_score
        live[best] = False
        if np.count_nonzero(live) < 0.8 * len(live):  # not every time: it moves all arrays
            corners, scores, areas, places = (
                corners[:, live],
                scores[live],
                areas[live],
                places[live],
            )
            live = live[live]
    return np.array(order, dtype=np.int64), np.array(lowered, dtype=scores.dtype)


@_numpy_in_numpy_out
def nms_match(dets: Tensor, iou_threshold: float) -> list[Tensor]:
    """Group boxes by the better box that suppresses them.

    Args:
        dets: (n, 5) float, x1 y1 x2 y2 in pixels and score.
        iou_threshold: A box joins the group of a better one when they overlap at least so much.

    Returns:
        One int64 tensor of places in ``dets`` per group: first the box that stays, then those it
        suppresses, best first. Every box is in one group.
    """
    order = dets[:, 4].argsort(descending=True, stable=True)
    corners = dets[order, :4]
    areas = (corners[:, 2:] - corners[:, :2]).prod(dim=1)
    groups: list[Tensor] = []
    while len(order):
        size = torch.minimum(corners[:, 2:], corners[0, 2:]) - torch.maximum(
            corners[:, :2], corners[0, :2]
        )
        inter = size.clamp(min=0).prod(dim=1)
        member = inter / (areas + areas[0] - inter) >= iou_threshold
        member[0] = True
        groups.append(order[member])
        order, corners, areas = order[~member], corners[~member], areas[~member]
    return groups


SUPPRESSIONS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"nms": nms, "soft_nms": soft_nms}


def batched_nms(
    boxes: Tensor,
    scores: Tensor,
    idxs: Tensor | None,
    nms_cfg: Mapping[str, Any] | None,
    class_agnostic: bool = False,
) -> tuple[Tensor, Tensor]:
    """Suppress within each class (or pyramid level), all in one call.

    Classes are moved apart, so that no two boxes of different classes overlap. From ``split_thr``
    boxes on, each class is a call of its own, which needs less memory.

    Args:
        boxes: (n, 4) float, x1 y1 x2 y2 in pixels.
        scores: (n,) float.
        idxs: (n,) int64, the class of each box; not read when class-agnostic.
        nms_cfg: ``type`` (``'nms'`` or ``'soft_nms'``), ``class_agnostic``, ``split_thr`` (10000),
            ``max_num``, and the arguments of that function. None only sorts by score.
        class_agnostic: Suppress across classes; the entry of ``nms_cfg`` has precedence.

    Returns:
        (k, 5) boxes with scores, best first, and their (k,) int64 places in ``boxes``.
    """
    if nms_cfg is None:
        scores, keep = scores.sort(descending=True)
        return torch.cat((boxes[keep], scores[:, None]), dim=1), keep
    options = dict(nms_cfg)
    class_agnostic = options.pop("class_agnostic", class_agnostic)
    split_threshold = options.pop("split_thr", 10000)
    kind = options.pop("type", "nms")
    if "iou_thr" in options:  # its name in configs of old
        options["iou_threshold"] = options.pop("iou_thr")
    if kind not in SUPPRESSIONS:
        raise ConfigError(
            f"nms type {kind!r} is unknown; choose one of {', '.join(SUPPRESSIONS)}"
            f"{hint(str(kind), SUPPRESSIONS)}"
        )
    suppress = SUPPRESSIONS[kind]
    if len(boxes) == 0:
        return torch.cat((boxes, scores[:, None]), dim=1), scores.new_zeros(0, dtype=torch.long)
    if class_agnostic or idxs is None:
        new_scores, keep = _with_places(suppress, boxes, scores, options, kind)
    elif len(boxes) < split_threshold:
        apart = _move_apart(boxes, idxs)
        if kind == "nms" and _pays_by_group(boxes, idxs):
            options["groups"] = idxs
        new_scores, keep = _with_places(suppress, apart, scores, options, kind)
    else:
        new_scores, keep = _class_by_class(suppress, boxes, scores, idxs, options)
    return torch.cat((boxes[keep], new_scores[:, None]), dim=1), keep


def _with_places(
    suppress: Callable[..., tuple[Tensor, Tensor]],
    boxes: Tensor,
    scores: Tensor,
    options: dict[str, Any],
    kind: str,
) -> tuple[Tensor, Tensor]:
    max_num = options.pop("max_num", -1) if kind == "soft_nms" else -1
    dets, keep = suppress(boxes, scores, **options)
    if max_num > 0:
        dets, keep = dets[:max_num], keep[:max_num]
    return dets[:, 4], keep


def _move_apart(boxes: Tensor, idxs: Tensor) -> Tensor:
    """Boxes shifted by their class, each class beyond the reach of the one before."""
    finite = boxes.detach()
    largest = torch.where(finite.isfinite(), finite, 0).max()
    return boxes + (idxs.to(boxes) * (largest + 1))[:, None]


def _pays_by_group(boxes: Tensor, idxs: Tensor) -> bool:
    """Whether comparing boxes within their classes alone is sure to be equal, and quicker."""
    if boxes.device.type != "cpu" or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    # Where a coordinate is negative, boxes may reach back into the class before.
    pays = len(boxes) ** 2 > _PAIRS_OF_A_CALL * (int(idxs.max()) + 1)
    return pays and bool((boxes >= 0).all())


def _class_by_class(
    suppress: Callable[..., tuple[Tensor, Tensor]],
    boxes: Tensor,
    scores: Tensor,
    idxs: Tensor,
    options: dict[str, Any],
) -> tuple[Tensor, Tensor]:
    max_num = options.pop("max_num", -1)
    # The same shift as in one call, so that both ways round alike.
    apart = _move_apart(boxes, idxs)
    kept_scores, kept = [], []
    for index in idxs.unique():
        rows = (idxs == index).nonzero().flatten()
        dets, keep = suppress(apart[rows], scores[rows], **options)
        kept_scores.append(dets[:, 4])
        kept.append(rows[keep])
    new_scores, order = torch.cat(kept_scores).sort(descending=True)
    keep = torch.cat(kept)[order]
    if max_num > 0:
        new_scores, keep = new_scores[:max_num], keep[:max_num]
    return new_scores, keep
