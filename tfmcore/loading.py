"""Loading torch, with a million objects that stay as long as the process does."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """What is imported within is not searched for garbage: not meanwhile, which takes a tenth of the time, nor later,
    nor when the process ends, which takes half a second."""
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if "torch" in sys.modules:
            gc.freeze()
        gc.enable()
