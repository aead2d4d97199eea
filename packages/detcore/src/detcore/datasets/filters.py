"""What a dataset leaves out, counted by reason: nothing is dropped in silence."""

from __future__ import annotations

import numpy as np

from detcore.evaluation.table import text_table


class FilterReport(dict[str, int]):
    """Reason -> how many images or annotations it took; ``str`` of it is a table.

    Reasons read ``"images: shorter side below 32 pixels"``; those that took nothing are absent.
    """

    def count(self, reason: str, number: int | np.integer) -> None:
        """Add `number` to a reason, unless it is zero."""
        if number:
            self[reason] = self.get(reason, 0) + int(number)

    def reasons(self, kind: str) -> str:
        """The reasons that begin with `kind`, in one line."""
        found = [
            f"{number} {reason.removeprefix(kind + ': ')}"
            for reason, number in self.items()
            if reason.startswith(kind + ":")
        ]
        return "; ".join(found) or "none was there to begin with"

    def __str__(self) -> str:
        if not self:
            return "nothing was left out"
        return text_table(("left out", "count"), list(self.items()))
