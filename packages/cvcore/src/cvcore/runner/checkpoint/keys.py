"""Putting a state dict into a model, and telling which of its keys did not fit."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from cvcore.errors import CheckpointError
from cvcore.log import get_logger
from cvcore.parallel import MMFullyShardedDataParallel, is_module_wrapper
from cvcore.runner.checkpoint.save import get_state_dict

SIZE_MISMATCH = re.compile(r"size mismatch for (\S+):")


class StateDictError(CheckpointError, RuntimeError):
    """The keys or shapes of a state dict are not those of the model."""


@dataclass(slots=True)
class Differences:
    """Where a state dict and a model disagree."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[tuple[str, str, str]] = field(default_factory=list)  # key, file, model
    other: list[str] = field(default_factory=list)
    averages: list[str] = field(default_factory=list)  # of weights that the model has itself

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched or self.other)

    def table(self) -> str:
        """One line for every key: what is wrong, the key, and both shapes where they differ."""
        rows = [
            *(("shape differs", key, f"file {a}, model {b}") for key, a, b in self.mismatched),
            *(("not in the file", key, "") for key in self.missing),
            *(("not in the model", key, "") for key in self.unexpected),
        ]
        width = max((len(key) for _, key, _ in rows), default=0)
        lines = [f"  {what:<16}  {key:<{width}}  {note}".rstrip() for what, key, note in rows]
        counts = (
            f"{len(self.mismatched)} with another shape, {len(self.missing)} not in the file, "
            f"{len(self.unexpected)} not in the model"
        )
        return "\n".join([counts, *lines, *(f"  {text}" for text in self.other)])


def load_state_dict(
    module: nn.Module,
    state_dict: Mapping[str, Any],
    strict: bool = False,
    logger: logging.Logger | None = None,
) -> Differences:
    """Copy what fits into a model, wrapped or not, and report everything that does not.

    Args:
        module: The model.
        state_dict: Weights by key.
        strict: Raise instead of reporting.
        logger: Gets the report, as one warning.

    Returns:
        What did not fit; parameters without a fitting entry keep their values.

    Raises:
        StateDictError: Something does not fit and ``strict`` is set.
    """
    differences = _copy(module, state_dict)
    if strict:
        differences.unexpected += differences.averages
    elif differences.averages:
        (logger or get_logger("cvcore")).info(
            "left aside: averages of %d weights (ema_*)", len(differences.averages)
        )
    if not differences:
        return differences
    kept = "" if strict else "\nParameters that are not in the file or differ keep their values."
    text = f"the checkpoint and the model differ: {differences.table()}{kept}"
    if strict:
        raise StateDictError(f"{text}\nLoad with strict=False to take what fits.")
    (logger or get_logger("cvcore")).warning(text)
    return differences


def load_exactly(module: nn.Module, state_dict: Mapping[str, Any], source: object) -> None:
    """Copy weights into a model that they were saved from.

    Averages of the weights may be there or not; the hook that keeps them takes them itself.

    Raises:
        StateDictError: A key is missing, or one too many, or has another shape.
    """
    found = _copy(module, state_dict)
    averaged = {average_name(key) for key in state_dict}
    found.missing = [key for key in found.missing if key not in averaged]
    if found:
        raise StateDictError(
            f"{source} is of another model than this run's: {found.table()}\n"
            "Resume with the config that wrote it (it lies in the work dir), or take what fits "
            "as the start of a new run with load_from"
        )


def _copy(module: nn.Module, state_dict: Mapping[str, Any]) -> Differences:
    metadata: Mapping[str, Any] = getattr(state_dict, "_metadata", None) or {}
    # One dict for all modules: hooks of old layouts rename keys in it before they are used.
    weights = dict(state_dict)
    if isinstance(module, MMFullyShardedDataParallel):
        return _sort_out(module, weights, *module.load_full_state_dict(weights), [])
    missing: list[str] = []
    unexpected: list[str] = []
    messages: list[str] = []

    def copy_into(target: nn.Module, prefix: str) -> None:
        if is_module_wrapper(target):
            target = target.module
        local = metadata.get(prefix[:-1], {})
        target._load_from_state_dict(weights, prefix, local, True, missing, unexpected, messages)
        for name, child in target._modules.items():
            if child is not None:
                copy_into(child, f"{prefix}{name}.")

    copy_into(module, "")
    return _sort_out(module, weights, missing, unexpected, messages)


def _sort_out(
    module: nn.Module,
    weights: Mapping[str, Any],
    missing: Sequence[str],
    unexpected: Sequence[str],
    messages: Sequence[str],
) -> Differences:
    own = get_state_dict(module) if messages or unexpected else {}
    averaged = {average_name(key) for key in own}
    # A hook may have renamed a key after the module above it had found it out of place.
    surplus = [key for key in unexpected if key in weights]
    found = Differences(
        # A counter of batches that batch normalisation did not have at first.
        missing=[key for key in missing if "num_batches_tracked" not in key],
        unexpected=[key for key in surplus if key not in averaged],
        averages=[key for key in surplus if key in averaged],
    )
    for message in messages:
        match = SIZE_MISMATCH.match(message)
        if match is None or match[1] not in own:
            found.other.append(message)
            continue
        key = match[1]
        found.mismatched.append((key, str(tuple(weights[key].shape)), str(tuple(own[key].shape))))
    return found


def average_name(weight_name: str) -> str:
    """The name of the buffer that holds the average of a weight over the steps of a run."""
    return f"ema_{weight_name.replace('.', '_')}"


def revise(state_dict: Mapping[str, Any], revise_keys: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A state dict with every key rewritten by pairs of a regular expression and its substitute."""
    revised: OrderedDict[str, Any] = OrderedDict(state_dict)
    for pattern, replacement in revise_keys:
        revised = OrderedDict(
            (re.sub(pattern, replacement, key), value) for key, value in revised.items()
        )
    if hasattr(state_dict, "_metadata"):
        revised._metadata = state_dict._metadata  # type: ignore[attr-defined]
    return revised
