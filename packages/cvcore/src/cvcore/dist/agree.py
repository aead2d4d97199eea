"""What all ranks of a run decide together: when to leave, and to wait for a slow one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from cvcore.dist.collect import all_gather_object, communication_device
from cvcore.dist.env import get_dist_info, is_distributed
from cvcore.interrupt import Interrupted, noted_signal

PATIENCE = timedelta(days=7)


class _Patient:
    """The group that :func:`patient_group` made, and the main one that it belongs to."""

    main: Any = None
    group: Any = None


def patient_group() -> Any:
    """A gloo group of all ranks whose collectives wait for a week; None on a single process.

    For work of very different length, such as an evaluation that only rank 0 scores: the main
    group would give up, and a watchdog end the run. The first call makes the group, so that all
    ranks have to make it at about the same time.
    """
    if get_dist_info()[1] == 1:
        return None
    main = distributed.group.WORLD
    if _Patient.main is not main:
        _Patient.group = distributed.new_group(backend="gloo", timeout=PATIENCE)
        _Patient.main = main
    return _Patient.group


def agreed_signal() -> int | None:
    """The signal that asked any rank to end, known to all of them; every rank calls this."""
    signum = noted_signal()
    if not is_distributed():
        return signum
    highest = torch.tensor(signum or 0, device=communication_device())
    distributed.all_reduce(highest, op=distributed.ReduceOp.MAX)
    return int(highest) or None


def gather_or_leave(part: Sequence[Any], group: Any = None) -> list[list[Any]]:
    """Every rank's ``part``, unless one of them was asked to end: then all of them are.

    Args:
        part: What this rank has done; it may be short if a signal was noted.
        group: See :func:`~cvcore.dist.all_gather_object`.

    Raises:
        Interrupted: On every rank, if a signal was noted on any.
    """
    gathered = all_gather_object((noted_signal(), list(part)), group)
    signals = [signum for signum, _ in gathered if signum is not None]
    if signals:
        raise Interrupted(max(signals))
    return [each for _, each in gathered]
