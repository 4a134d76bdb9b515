"""Where to compute, and with how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tfmcore.config import UserError
from tfmcore.config.shares import num_threads


def choose_device(name: str, num_sharing: int = 0) -> torch.device:
    """The device that the config names; `auto` takes a GPU where there is one. Of `num_sharing` processes of this
    machine that share a training each needs a GPU of its own, and CUDA's alone can be shared. Raises UserError where it
    is missing."""
    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available() and not num_sharing
    there = {"cpu": True, "cuda": num_gpus >= max(1, num_sharing), "mps": mps}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if name == "cuda" and 0 < num_gpus < num_sharing:
        raise UserError(
            f"training.device: {num_sharing} processes need a GPU each, and this machine has {num_gpus} (nearest: auto)"
        )
    if not there[name]:
        names = " and ".join(device for device in there if there[device])
        raise UserError(f"training.device: there is no {name} here; this machine has {names} (or choose auto)")
    return torch.device(name)


def choose_threads(wanted: int | None, local_world_size: int = 1) -> int:
    """Have torch use so many threads as `num_threads` says."""
    threads = num_threads(wanted, local_world_size)
    torch.set_num_threads(threads)
    return threads


@contextmanager
def threads_chosen(wanted: int | None) -> Iterator[None]:
    """The same for a piece of work, after which torch uses as many as before."""
    before = torch.get_num_threads()
    choose_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
