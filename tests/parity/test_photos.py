"""The detectors find on photographs what is stored, from the file to the result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from parity import compare_photos

FOLDER = Path(__file__).resolve().parent
FIGURES = np.load(FOLDER / "photos.npz")
SPECS = json.loads(str(FIGURES["spec"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_detections_on_photographs_are_the_stored_ones(name: str) -> None:
    photos = FOLDER.parent / "data" / "photos"
    assert compare_photos(name, SPECS[name], FIGURES, photos) == []
