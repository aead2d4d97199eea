"""What a conversion gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Converted:
    """Weights under detcore's keys, and what was done to them."""

    source: str  # what the weights were recognised as
    state_dict: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)  # one sentence each
    left_out: list[str] = field(default_factory=list)  # keys of the source without a counterpart
