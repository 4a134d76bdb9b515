"""Acts on files that Windows refuses for a moment: it neither replaces, moves nor deletes what another program has
open, if only a virus scanner, nor opens what is being replaced."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 2.0
POLL_SECONDS = 0.01

R = TypeVar("R")


def patiently(act: Callable[[], R]) -> R:
    """Do it, on Windows again and again for so long as it is refused; raises PermissionError after that."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)
