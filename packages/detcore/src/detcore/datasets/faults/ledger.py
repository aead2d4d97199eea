"""Where findings are written down: counted by kind, the first of each as examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from detcore.datasets.faults.kinds import ERROR, KINDS, NOTE, WARNING, Kind

EXAMPLES = 10  # of a kind that are kept
_ORDER = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True)
class Example:
    """One finding."""

    what: str  # such as "annotation 17 (a.jpg)"
    detail: str
    path: str | None = None  # of the image
    box: tuple[float, ...] | None = None  # x, y, width, height


@dataclass(slots=True)
class Fault:
    """All findings of a kind in one set."""

    name: str
    where: str  # such as "train"
    count: int = 0
    examples: list[Example] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """How bad it is, and what to do."""
        return KINDS[self.name]


class Ledger:
    """Findings of several sets."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}
        self.totals: dict[str, dict[str, int]] = {}  # set -> what was looked at, such as images

    def add(
        self,
        where: str,
        name: str,
        what: str,
        detail: str,
        *,
        path: str | None = None,
        box: Any = None,
    ) -> None:
        """Write down one finding of kind `name` in the set `where`."""
        fault = self._faults.setdefault((where, name), Fault(name, where))
        fault.count += 1
        if len(fault.examples) < EXAMPLES:
            corners = tuple(float(v) for v in box) if box is not None else None
            fault.examples.append(Example(what, detail, path, corners))

    def __iter__(self) -> Iterator[Fault]:
        """The worst first."""
        order = list(KINDS)
        yield from sorted(
            self._faults.values(),
            key=lambda f: (_ORDER.index(f.kind.severity), order.index(f.name), f.where),
        )

    def count(self, severity: str) -> int:
        """Findings of a severity."""
        return sum(fault.count for fault in self if fault.kind.severity == severity)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        faults = [
            {
                "fault": fault.name,
                "set": fault.where,
                "severity": fault.kind.severity,
                "title": fault.kind.title,
                "count": fault.count,
                "remedy": fault.kind.remedy,
                "examples": [asdict(example) for example in fault.examples],
            }
            for fault in self
        ]
        severities = {severity: self.count(severity) for severity in _ORDER}
        return {"sets": self.totals, "findings": severities, "faults": faults}
