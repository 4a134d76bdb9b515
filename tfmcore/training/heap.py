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
AT_ONCE = (2**17, 2**16)


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within, as long as one trains; then all that is free is given back."""
    _set(*KEPT)
    try:
        yield
    finally:
        _set(*USUAL)
        give_back_free_memory()


@contextlib.contextmanager
def given_back_at_once() -> Iterator[None]:
    """Within, what a new thread frees is given back, so that what is in use is what is needed. glibc would keep up to
    as much again, since that is faster; and a thread that has kept some takes from there first."""
    _set(*AT_ONCE)
    try:
        yield
    finally:
        _set(*USUAL)


def give_back_free_memory() -> None:
    """What is free and still kept, such as what an earlier measurement has freed: then the next one would seem to need
    less."""
    if trim := _glibc("malloc_trim"):
        trim(0)


def _set(trim_threshold: int, mmap_threshold: int) -> None:
    if mallopt := _glibc("mallopt"):
        mallopt(M_TRIM_THRESHOLD, trim_threshold)
        mallopt(M_MMAP_THRESHOLD, mmap_threshold)


def _glibc(name: str) -> "ctypes._FuncPointer | None":
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
