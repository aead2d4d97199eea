"""A text that several processes read says what it says when one does."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest
from tests.detcore.datasets.coco.test_blocks import alike, document

from detcore.datasets.coco import blocks, collecting
from detcore.datasets.coco.blocks import Stretch
from detcore.datasets.coco.reader import read_coco
from detcore.errors import AnnotationError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one process reads elsewhere")


@pytest.fixture(autouse=True)
def three_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCK", 200)
    monkeypatch.setattr(collecting, "_LEAST_SHARE", 500)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The processes that were started."""
    started: list[int] = []
    fork = os.fork

    def counted() -> int:
        number = fork()
        started.append(number)
        return number

    monkeypatch.setattr(os, "fork", counted)
    return started


def test_the_shares_together_read_as_the_whole_does(forks: list[int]) -> None:
    whole = document()
    assert alike(read_coco(json.dumps(whole).encode(), "a.json"), read_coco(whole, "a.json"))
    assert len(forks) == 2  # this process reads the first of three shares


def test_texts_that_look_like_json_are_texts_in_every_share() -> None:
    whole = document()
    for annotation in whole["annotations"]:
        annotation["note"] = "}, {" * 40
    assert alike(read_coco(json.dumps(whole).encode(), "a.json"), read_coco(whole, "a.json"))


@pytest.mark.parametrize("place", [0, 15, 29])
def test_a_fault_in_any_share_is_told_as_ever(place: int) -> None:
    whole = document()
    del whole["annotations"][place]["bbox"]
    with pytest.raises(AnnotationError) as expected:
        read_coco(whole, "a.json")
    with pytest.raises(AnnotationError) as caught:
        read_coco(json.dumps(whole).encode(), "a.json")
    assert str(caught.value) == str(expected.value)


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_its_answer(answer: BinaryIO, *_: Any) -> None:
    answer.write(pickle.dumps(list(range(1000)))[:100])
    answer.flush()
    die()


def give_no_answer(*_: Any) -> None:
    pass


@pytest.mark.parametrize("death", [die, die_in_its_answer, give_no_answer])
def test_where_a_process_dies_the_text_is_read_whole(
    death: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_work", death)
    whole = document()
    assert alike(read_coco(json.dumps(whole).encode(), "a.json"), read_coco(whole, "a.json"))


def test_where_no_process_can_be_started_the_text_is_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    whole = document()
    assert alike(read_coco(json.dumps(whole).encode(), "a.json"), read_coco(whole, "a.json"))


def test_ranks_of_one_machine_share_its_processors(
    monkeypatch: pytest.MonkeyPatch, forks: list[int]
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    read_coco(json.dumps(document()).encode(), "a.json")
    assert forks == []


@pytest.mark.parametrize("number", [1, 2, 5, 1000])
def test_shares_follow_one_another_and_lose_nothing(number: int) -> None:
    annotations = document()["annotations"]
    text = json.dumps(annotations).encode()
    shares = Stretch(text, 1, len(text) - 1).shares(number)
    assert 1 <= len(shares) <= number
    assert [each for share in shares for piece in share.pieces() for each in piece] == annotations
