"""The annotations of a COCO json as columns, read by several processes where it is large.

Python parses on one processor at a time, and a million annotations take it eight seconds. Processes
that are forked see the text without a copy, parse a share of it each, and leave arrays of numbers
in a file that is memory, which takes a fraction of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import BinaryIO

from detcore.datasets.coco.blocks import Stretch
from detcore.datasets.coco.columns import Columns, Record

Places = Mapping[Hashable, int]
_LEAST_SHARE = 10_000_000  # bytes: a fifth of a second, many times what a process costs
_MOST_PROCESSES = 8  # from where on this process, which puts the shares together, sets the time


def collect(blocks: Iterable[Sequence[Record]], images: Places, categories: Places) -> Columns:
    """The annotations of all blocks.

    Args:
        blocks: Lists of annotations.
        images: Image id -> its position.
        categories: Category id -> its position.

    Raises:
        KeyError, OverflowError, TypeError, ValueError: As of `Columns.add`.
    """
    columns = Columns(images, categories)
    for block in blocks:
        columns.add(block)
    return columns


def collect_stretch(stretch: Stretch, images: Places, categories: Places) -> Columns:
    """As :func:`collect`, of a part of a text, by as many processes as pay.

    Raises:
        KeyError, OverflowError, TypeError, ValueError: As of `Columns.add`, or a piece is no json.
        EOFError, OSError: A process could not be started, or ended without its answer.
    """
    first, *others = stretch.shares(_processes(len(stretch)))
    with ExitStack() as stack:
        started = [stack.enter_context(_elsewhere(each, images, categories)) for each in others]
        columns = collect(first.pieces(), images, categories)
        for process, answer in started:
            columns.extend(_answer_of(process, answer))
    return columns


def _processes(size: int) -> int:
    """How many processes a stretch of so many bytes is worth."""
    # Elsewhere than on Linux a fork is not safe, and the loader's workers may have no children.
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return 1
    processors = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(min(size // _LEAST_SHARE, processors, _MOST_PROCESSES), 1)


@contextmanager
def _elsewhere(
    share: Stretch, images: Places, categories: Places
) -> Iterator[tuple[BaseProcess, BinaryIO]]:
    """A process that collects a share, and the file that it writes its answer to."""
    with os.fdopen(os.memfd_create("annotations"), "w+b") as answer:
        process = multiprocessing.get_context("fork").Process(
            target=_work, args=(answer, share, images, categories), daemon=True
        )
        with warnings.catch_warnings():
            # Python warns of forks beside threads, as torch's are: the child calls none of torch.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        try:
            yield process, answer
        finally:
            process.kill()
            process.join()


def _work(answer: BinaryIO, share: Stretch, images: Places, categories: Places) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    # What is wrong is found again, and told, by whoever reads the whole text.
    with suppress(KeyError, OverflowError, TypeError, ValueError), answer:
        pickle.dump(collect(share.pieces(), images, categories), answer, pickle.HIGHEST_PROTOCOL)


def _answer_of(process: BaseProcess, answer: BinaryIO) -> Columns:
    process.join()
    if process.exitcode != 0:
        raise EOFError(f"the process that read annotations ended with {process.exitcode}")
    answer.seek(0)  # both processes write and read at one place
    columns: Columns = pickle.load(answer)  # of our own fork, from a file without a name
    return columns
