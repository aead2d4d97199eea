"""What the steps of a run report, kept until it is averaged into a log line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

KEPT = 1000  # newest values of each name that a checkpoint carries


class LogBuffer:
    """Histories of named numbers, and the averages that the loggers read.

    Attributes:
        val_history: Every value since the last :meth:`clear`, by name.
        n_history: The weight of each of them, usually the number of images.
        output: What loggers print: averages, and whatever evaluation puts here itself.
        ready: Whether ``output`` holds something new.
    """

    def __init__(self) -> None:
        self.val_history: dict[str, list[float]] = {}
        self.n_history: dict[str, list[float]] = {}
        self.output: dict[str, Any] = {}
        self.ready = False

    def clear(self) -> None:
        """Forget histories and output."""
        self.val_history.clear()
        self.n_history.clear()
        self.clear_output()

    def clear_output(self) -> None:
        """Forget the output only."""
        self.output.clear()
        self.ready = False

    def update(self, vars: Mapping[str, float], count: float = 1) -> None:
        """Append one value for each name.

        Args:
            vars: Numbers by name.
            count: Their weight in averages.
        """
        if not isinstance(vars, Mapping):
            raise TypeError(f"log values come as a dict of numbers, not {type(vars).__name__}")
        for name, value in vars.items():
            self.val_history.setdefault(name, []).append(value)
            self.n_history.setdefault(name, []).append(count)

    def average(self, n: int = 0) -> None:
        """Put the weighted mean of the newest ``n`` values of each name into ``output``.

        Args:
            n: How many values; 0 for all.
        """
        if n < 0:
            raise ValueError(f"cannot average {n} values")
        for name, history in self.val_history.items():
            values = np.asarray(history[-n:])
            weights = np.asarray(self.n_history[name][-n:])
            self.output[name] = np.sum(values * weights) / np.sum(weights)
        self.ready = True

    def state_dict(self) -> dict[str, Any]:
        """The newest values and their weights, for averages that a resumed run goes on with."""
        values = {name: history[-KEPT:] for name, history in self.val_history.items()}
        weights = {name: history[-KEPT:] for name, history in self.n_history.items()}
        return {"values": values, "weights": weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave; an empty one changes nothing."""
        if state:
            self.val_history = {name: list(each) for name, each in state["values"].items()}
            self.n_history = {name: list(each) for name, each in state["weights"].items()}
