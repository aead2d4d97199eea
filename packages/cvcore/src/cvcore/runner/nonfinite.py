"""What happens at a loss or gradient that is not finite: the run stops, or skips a few steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from cvcore.dist import get_dist_info
from cvcore.errors import ConfigError, CvcoreError, NonFiniteError
from cvcore.runner.random_state import get_random_state
from cvcore.runner.replay import write_dump

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

DEFAULT_MAX = 10
MAX_DUMPS = 3  # in one run; one of them is as good as a hundred
SKIP = re.compile(r"skip(?:\(\s*max\s*=\s*(\d+)\s*\))?")


@dataclass(frozen=True, slots=True)
class NonFinitePolicy:
    """Stop at once, or after more than ``max_skips`` skipped iterations in a row."""

    max_skips: int = 0

    @classmethod
    def of(cls, setting: str | Mapping[str, Any]) -> NonFinitePolicy:
        """Read ``'stop'``, ``'skip'``, ``'skip(max=5)'`` or ``dict(action='skip', max=5)``.

        Raises:
            ConfigError: It is none of these.
        """
        if isinstance(setting, Mapping) and set(setting) <= {"action", "max"}:
            if setting.get("action") == "skip" and isinstance(setting.get("max", 0), int):
                return cls(setting.get("max", DEFAULT_MAX))
            setting = str(setting.get("action"))
        if setting == "stop":
            return cls()
        match = SKIP.fullmatch(setting) if isinstance(setting, str) else None
        if match is None:
            raise ConfigError(
                f"on_nonfinite={setting!r}: choose 'stop', 'skip' (at most {DEFAULT_MAX} "
                "iterations in a row) or 'skip(max=5)'"
            )
        return cls(int(match[1]) if match[1] else DEFAULT_MAX)


class NonFiniteGuard:
    """Remembers what an iteration began with, and acts if it goes wrong.

    Args:
        policy: See NonFinitePolicy.of.
    """

    def __init__(self, policy: str | Mapping[str, Any] = "stop") -> None:
        self.policy = NonFinitePolicy.of(policy)
        self.in_a_row = 0
        self.in_all = 0
        self._failed = False
        self._random_state: dict[str, Any] | None = None
        self._statistics: list[Tensor] = []
        self._copies: list[Tensor] = []

    @torch.no_grad()
    def before(self, model: nn.Module) -> None:
        """Remember random state and running statistics, which a forward pass changes."""
        self._failed = False
        self._random_state = get_random_state()
        if not self._statistics:
            self._statistics = [
                buffer
                for module in model.modules()
                if isinstance(module, _NormBase)
                for buffer in module.buffers(recurse=False)
            ]
            self._copies = [torch.empty_like(each) for each in self._statistics]
        if self._statistics:
            torch._foreach_copy_(self._copies, self._statistics)

    def after(self) -> None:
        """Count an iteration that went well."""
        if not self._failed:
            self.in_a_row = 0

    @torch.no_grad()
    def failed(self, runner: BaseRunner, error: NonFiniteError) -> None:
        """Undo what the forward pass changed, dump the batch, and stop or count.

        Raises:
            NonFiniteError: The policy says stop, or there were too many in a row.
        """
        self._failed = True
        self.in_a_row += 1
        self.in_all += 1
        if self._statistics:
            torch._foreach_copy_(self._statistics, self._copies)
        note = self._dump(runner, error)
        if self.in_a_row > self.policy.max_skips:
            after = ""
            if self.policy.max_skips:
                after = f" It is number {self.in_a_row} in a row; on_nonfinite skips no more."
            raise NonFiniteError(f"{error}.{after} {note}".replace("..", ".")) from error
        runner.logger.warning(
            "skipped iteration %d (%d in a row of at most %d, %d in all): %s. %s",
            runner.iter + 1,
            self.in_a_row,
            self.policy.max_skips,
            self.in_all,
            error,
            note,
        )

    def _dump(self, runner: BaseRunner, error: NonFiniteError) -> str:
        if runner.work_dir is None or self.in_all > MAX_DUMPS:
            return ""
        rank, world_size = get_dist_info()
        of_rank = f"_rank_{rank}" if world_size > 1 else ""
        path = Path(runner.work_dir) / f"nonfinite_iter_{runner.iter + 1}{of_rank}.pth"
        try:
            write_dump(path, runner, str(error), self._random_state)
        except CvcoreError as reason:  # the cause matters more than its dump
            return f"The batch could not be kept: {reason}"
        return f"The batch is kept: detcore replay {path}"
