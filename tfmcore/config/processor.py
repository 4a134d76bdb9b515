"""What this machine's processor can do: told from a file, without loading torch."""

from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
WITH_BF16 = {"avx512bw", "avx512dq", "avx512vl"}, {"avx_ne_convert"}, {"bf16"}
"""One of these sets of features is enough for oneDNN; the last one is of ARM."""


@cache
def has_bf16() -> bool:
    """Whether it multiplies matrices in bf16; where no file says what it can, it is taken to."""
    try:
        known = set(CPUINFO.read_text("utf-8", errors="replace").split())
    except OSError:
        return True
    return any(needed <= known for needed in WITH_BF16)
