"""How much memory this process may still take. Loads no torch."""

import sys
from pathlib import Path

import psutil

GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes: what the machine has left, the process's own limit and its container's, whichever is least."""
    return max(0, min(int(psutil.virtual_memory().available), _own_limit(), _limit_of_container()))


def _own_limit() -> int:
    """What RLIMIT_AS leaves of the addresses."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if limit == resource.RLIM_INFINITY else int(limit - psutil.Process().memory_info().vms)


def _limit_of_container() -> int:
    try:
        limit, used = (GROUP / "memory.max").read_text().strip(), (GROUP / "memory.current").read_text()
        return sys.maxsize if limit == "max" else int(limit) - int(used)
    except (OSError, ValueError):
        return sys.maxsize
