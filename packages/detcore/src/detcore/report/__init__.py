"""What an evaluation found, as a page to look at and as figures to compute with."""

from __future__ import annotations

from detcore.report.analyse import Analysis, Report, RunFacts, analyse
from detcore.report.series import RunCurves, curves_of, read_curves
from detcore.report.write import write_report

__all__ = [
    "Analysis",
    "Report",
    "RunCurves",
    "RunFacts",
    "analyse",
    "curves_of",
    "read_curves",
    "write_report",
]
