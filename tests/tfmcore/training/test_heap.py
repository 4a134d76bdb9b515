"""What is freed stays with the process as long as one trains, and no longer."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems' heaps do as they do")
FILL_AND_FREE = """
import resource, psutil, torch
from tfmcore.training.heap import freed_memory_kept

MIB = 2**20
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
rss = lambda: psutil.Process().memory_info().rss

def use():
    before = faults()
    torch.ones(64 * MIB // 4)
    return faults() - before

use()
with freed_memory_kept():
    print(min(use() for _ in range(12)), end=" ")
before = rss()
with freed_memory_kept():
    use()
print(rss() - before)
"""


def test_a_step_takes_what_the_one_before_has_freed():
    done = subprocess.run(
        [sys.executable, "-c", FILL_AND_FREE], capture_output=True, text=True, check=True, timeout=120
    )
    new_pages, left_afterwards = map(int, done.stdout.split())
    assert new_pages < 100
    assert left_afterwards < 8 * 2**20
