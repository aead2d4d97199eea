from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from cvcore.errors import FileError
from cvcore.fileio import load_plain_pickle


class Trap:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_in_containers_come_back(protocol: int) -> None:
    boxes = np.arange(10, dtype=np.float32).reshape(2, 5)
    data = [boxes, OrderedDict(score=np.float64(0.5), names=("a", b"b"))]
    read = load_plain_pickle(pickle.dumps(data, protocol=protocol))
    assert np.array_equal(read[0], boxes)
    assert read[0].dtype == np.float32
    assert read[1] == data[1]


def test_a_pickle_that_would_act_is_refused_and_does_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(FileError, match=r"proposals\.pkl as plain data: it names pathlib"):
        load_plain_pickle(pickle.dumps([Trap(canary)]), "proposals.pkl")
    assert not canary.exists()


def test_a_cut_pickle_is_an_error_that_names_the_file() -> None:
    with pytest.raises(FileError, match=r"cannot read cut\.pkl"):
        load_plain_pickle(pickle.dumps([1, 2, 3])[:-3], "cut.pkl")
