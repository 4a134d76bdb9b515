"""How much memory this process may still take, and the most that it has taken. Loads no torch by itself."""

import sys
from pathlib import Path

import psutil

GROUP = Path("/sys/fs/cgroup")


def peak_memory_taken(device: str) -> int:
    """Bytes: of a GPU, by torch's tensors; else of the machine, by all of this process."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 2**10


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
