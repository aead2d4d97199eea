"""Every config of a folder, read with all that it inherits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scripts.benchmark.probes.names import core_name_of


def measure(package: str, folder: str) -> dict[str, Any]:
    """Seconds to read all of them, the import of the reader left out.

    The names of those that the reference cannot read are notes: they import what it lacks.

    Raises:
        ValueError: Ours cannot read one.
    """
    read = core_name_of(package, "", "Config").fromfile
    paths = sorted(p for p in Path(folder).rglob("*.py") if "_base_" not in p.parts)
    refused = {}
    begin = time.perf_counter()
    for path in paths:
        try:
            read(str(path))
        except Exception as error:  # whatever a config raises that is run
            refused[str(path.relative_to(folder))] = f"{type(error).__name__}: {error}"[:200]
    seconds = time.perf_counter() - begin
    if package == "detcore" and refused:
        # Ours reads all; one that gives up early would look fast.
        raise ValueError(f"not read: {refused}")
    return {
        "figures": {"seconds": seconds},
        "agree": {"configs": float(len(paths))},
        "notes": {"refused": refused},
    }
