"""Random input in numbers that the environment chooses: 100 examples, or FUZZ_EXAMPLES of them."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
MEMORY = 3 << 30  # bytes of address space beyond what the process has at the start

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=10_000,  # milliseconds for one example: more is a hang
    derandomize=EXAMPLES <= 100,  # CI sees the same examples each time, a soak new ones
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """An example that asks for more memory than data needs fails as a MemoryError."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file of ours
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
