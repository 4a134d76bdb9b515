"""What the C library does with memory that is freed, where it is glibc; others do as they do. Loads no torch."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names for how much may lie free at the heap's end, and for the size from which on a block is no part of the
heap, but goes back to the system when it is freed (https://man7.org/linux/man-pages/man3/mallopt.3.html)."""
KEPT = (2**31 - 1, 2**30)
"""Both so large that the next step takes what one has freed: pages from the system are cleared first, which took 3 % to
20 % of a step. Batches of many lengths need 10 % to 20 % more memory so."""
USUAL = (2**26, 2**25)
"""What glibc, which learns from what is freed, comes to at the most."""


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within, as long as one trains; then all that is free is given back."""
    _set(*KEPT)
    try:
        yield
    finally:
        _set(*USUAL)
        if trim := _glibc("malloc_trim"):
            trim(0)


def _set(trim_threshold: int, mmap_threshold: int) -> None:
    if mallopt := _glibc("mallopt"):
        mallopt(M_TRIM_THRESHOLD, trim_threshold)
        mallopt(M_MMAP_THRESHOLD, mmap_threshold)


def _glibc(name: str) -> "ctypes._FuncPointer | None":
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
