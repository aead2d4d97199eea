"""What can be wrong with images and annotations: found, counted, shown."""

from __future__ import annotations

from detcore.datasets.faults.annotations import examine_document
from detcore.datasets.faults.images import examine_images
from detcore.datasets.faults.kinds import KINDS, Kind
from detcore.datasets.faults.ledger import Example, Fault, Ledger
from detcore.datasets.faults.page import write_page

__all__ = [
    "KINDS",
    "Example",
    "Fault",
    "Kind",
    "Ledger",
    "examine_document",
    "examine_images",
    "write_page",
]
