"""Import paths that MMDetection users know."""

from __future__ import annotations

import detcore.utils


def test_every_name_is_there_and_its_own_home_is_elsewhere() -> None:
    for name in detcore.utils.__all__:
        assert getattr(detcore.utils, name).__module__ != "detcore.utils"
