"""A file that one process has for itself until it ends, however it ends."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.01


def take(descriptor: int) -> bool:
    """Have an open file for oneself until it is closed; False where another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 2**40, os.SEEK_SET)  # a byte that nobody reads
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter is how Windows says it
        return False
    return True


def is_unknown(error: OSError) -> bool:
    """Whether the file system knows no such locks: some of clusters, and some shares on macOS."""
    return error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def held(path: Path, seconds: float) -> Iterator[bool]:
    """Have the file at `path`, which is made where it is missing, within; wait up to so many seconds for another that
    has it. Gives whether it is ours; raises OSError where it cannot be written."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + seconds
        while not (ours := take(descriptor)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield ours
    finally:
        os.close(descriptor)
