"""The most memory that was in use during a piece of work."""

import contextlib
import gc
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch.autograd.profiler import profile

os.environ.setdefault("KINETO_LOG_LEVEL", "6")
"""The profiler writes to the terminal that it begins and ends, otherwise."""
_ONE_AT_A_TIME = threading.Lock()
"""Of a process; two profilers at once end it."""


@dataclass
class PeakMemory:
    """Bytes, known once the work is done."""

    num_bytes: int = 0


@contextlib.contextmanager
def peak_memory(device: torch.device) -> Iterator[PeakMemory]:
    """Measures the most memory of tensors that was in use within, beyond what was in use before: as torch counts what
    it takes and frees. What the process has of the system depends on what it has done before."""
    peak = PeakMemory()
    with _ONE_AT_A_TIME:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            yield peak
            peak.num_bytes = torch.cuda.max_memory_allocated() - before
        else:
            with profile(use_kineto=True, profile_memory=True) as work:
                yield peak
            recorded: Any = work.kineto_results
            events = (event for event in recorded.events() if event.name() == "[memory]")
            in_time = sorted((event.start_ns(), int(event.nbytes())) for event in events)
            peak.num_bytes = max(accumulate((num_bytes for _, num_bytes in in_time), initial=0))
