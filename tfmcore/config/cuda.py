"""Whether torch will find a GPU that CUDA knows: told from files, without loading torch."""

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path

DRIVERS = {
    "linux": (Path("/dev/nvidiactl"), Path("/usr/lib/wsl/lib/libcuda.so.1")),
    "win32": (Path(r"C:\Windows\System32\nvcuda.dll"),),
}
"""What the driver leaves, by system; one of them is enough."""


@cache
def has_cuda() -> bool:
    """Whether a driver is here, and a torch that was built for it."""
    found = importlib.util.find_spec("torch")
    if not (found and found.origin and any(file.exists() for file in DRIVERS.get(sys.platform, ()))):
        return False
    built = Path(found.origin).with_name("version.py").read_text("utf-8")
    return re.search(r"^cuda\b.*= '", built, re.MULTILINE) is not None
