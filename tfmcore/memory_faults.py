"""How torch and numpy say that memory ran out, and how much of it they could not have."""

import re

ALLOCATION = re.compile(r"allocate (\d[\d.,]* ?(?:bytes|[KMGT]i?B))", re.IGNORECASE)
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "unable to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """torch says so by a RuntimeError: a bare one on a processor, a subclass of it on a GPU."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(phrase in words for phrase in OUT_OF_MEMORY)
    )


def missing_memory(error: BaseException) -> str:
    """What could not be had, such as "1.50 GiB", of an allocator's bytes too; "" where `error` does not say it."""
    if not (found := ALLOCATION.search(str(error))):
        return ""
    number, unit = found[1].split()[0], found[1].split()[-1]
    if unit != "bytes":
        return found[1]
    size = float(number.replace(",", ""))
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
