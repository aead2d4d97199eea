"""Import paths that MMCV users know, beside ``cvcore.utils``."""

from __future__ import annotations

import cvcore.device
import cvcore.engine
from cvcore.parallel import scatter
from cvcore.runner import single_gpu_test


def test_testing_loops_and_devices_are_where_they_were() -> None:
    assert cvcore.engine.single_gpu_test is single_gpu_test
    assert cvcore.device.scatter is scatter
    assert cvcore.device.get_device() in ("cuda", "cpu")
