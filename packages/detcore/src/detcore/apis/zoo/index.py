"""Which weights are published for which config: an index in TOML.

::

    base = 'https://example.org/models/'           # what the addresses below are relative to

    [models]
    cats_r50 = 'cats_r50-0676ba61.pth'             # the digest in the name is checked
    cats_r18 = { weights = 'r18.pth', sha256 = '9f86d081884c7d65', config = 'r18.py' }

A model without ``config`` has that of a config which comes with the package under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from cvcore.fileio import load
from detcore.errors import DetcoreError

SHIPPED = Path(__file__).with_name("weights.toml")
KEYS = {"weights", "config", "sha256", "batch_norm_eps"}
OUR_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class ZooModel:
    """Where the weights and the config of a name are."""

    name: str
    weights: str  # a path or an address; ``#sha256=...`` at its end is checked
    config: str  # a path, an address, or the bare name of a config that is shipped
    batch_norm_eps: float = OUR_EPS  # of the batch norms of a torchvision detector


def read_index(source: str | Path | None = None) -> dict[str, ZooModel]:
    """Every model of an index, by name.

    Args:
        source: Path or address of the TOML file; by default the one that comes with the package.

    Raises:
        DetcoreError: The file is not of that form.
        FileError: It cannot be read.
    """
    place = str(source or SHIPPED)
    document = load(place, file_format="toml")
    models, base = document.get("models"), document.get("base", "")
    if not isinstance(models, dict) or not isinstance(base, str):
        raise DetcoreError(f"{place}: an index has a table [models], and may have a text 'base'")
    return {name: _model(name, entry, base or place, place) for name, entry in models.items()}


def _model(name: str, entry: Any, base: str, place: str) -> ZooModel:
    if isinstance(entry, str):
        entry = {"weights": entry}
    if not isinstance(entry, Mapping) or "weights" not in entry or not entry.keys() <= KEYS:
        raise DetcoreError(
            f"{place}: {name} should be the address of its weights, or a table of 'weights' and, "
            f"as needed, {', '.join(sorted(KEYS - {'weights'}))}; it is {entry!r}"
        )
    if Path(name).name != name:
        raise DetcoreError(f"{place}: {name!r} is no name; it becomes the name of a file")
    weights = _joined(base, str(entry["weights"]))
    digest = entry.get("sha256", "")
    if digest and not weights.startswith(("http://", "https://")):
        raise DetcoreError(f"{place}: {name}: a sha256 goes with an http(s) address of weights")
    config = entry.get("config", name)
    return ZooModel(
        name,
        f"{weights}#sha256={digest}" if digest else weights,
        _joined(base, config) if "config" in entry and Path(config).suffix else str(config),
        float(entry.get("batch_norm_eps", OUR_EPS)),
    )


def _joined(base: str, address: str) -> str:
    """An address, or a path beside the index, made whole."""
    if "://" in address:
        return address
    if "://" in base:
        return urljoin(base, address)
    return str(Path(base).parent / address)
