"""Freed memory that is kept for the next step."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from cvcore.allocator import keep_freed_memory

FAULTS = """
import resource, torch
from cvcore.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()

def step():
    maps = [torch.ones(1 << 19) for _ in range(100)]  # 2 MiB each

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_a_step_takes_the_memory_that_the_last_one_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)

    def faults(keep: bool) -> int:
        code = FAULTS.format(keep=keep)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return int(done.stdout)

    assert faults(keep=True) * 4 < faults(keep=False)


AFTER_FORK = """
import os, torch
from cvcore.allocator import keep_freed_memory
assert keep_freed_memory()

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

maps = [torch.ones(1 << 19) for _ in range(100)]  # 2 MiB each
del maps
before = resident()
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_a_fork_shares_no_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    done = subprocess.run([sys.executable, "-c", AFTER_FORK], capture_output=True, check=True)
    assert int(done.stdout) > 150  # MiB of 200


def test_an_allocator_set_from_outside_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    assert not keep_freed_memory()
