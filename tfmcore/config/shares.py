"""How many threads a training has on a processor, and in how many shares they compute each batch."""

import os
from functools import cache

import psutil

from tfmcore.config.training import TrainingConfig

MOST_WEIGHTS = 2**25
"""Of a larger model, whose products keep all threads busy, the gradients of a further share would take over 128 MiB."""
MOST_LOGITS = 2**26
"""Batches with more of them are short of memory, of which each share would need as much as all of them do."""


def num_threads(wanted: int | None, local_world_size: int = 1) -> int:
    """As wanted, or one for each core that this process may use, if a training has
    `local_world_size` processes on this machine."""
    return wanted or max(1, _num_cores() // local_world_size)


@cache
def _num_cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def num_shares(training: TrainingConfig, num_weights: int, num_logits: int, device: str, threads: int) -> int:
    """Shares of a batch that so many threads compute side by side: 1 where several processes share it, where it is
    computed twice to spare memory, and on a GPU."""
    whole = bool(training.parallel) or training.gradient_checkpointing
    if whole or device in ("cuda", "mps") or num_weights > MOST_WEIGHTS or num_logits > MOST_LOGITS:
        return 1
    return max(1, min(training.shares, threads, training.batch_size))
