"""The most memory that was in use during a piece of work."""

import gc
import os
import threading
from itertools import accumulate
from types import TracebackType
from typing import Any, Self

import torch
from torch.profiler import ProfilerActivity, profile

from tfmcore.training.room import room_of_process

os.environ.setdefault("KINETO_LOG_LEVEL", "6")
"""The profiler writes to the terminal that it begins and ends, otherwise."""
_ONE_AT_A_TIME = threading.Lock()
"""Of a process; two profilers at once end it."""


class PeakMemory:
    """Measures the most memory of tensors that was in use inside a `with`, beyond what was in use before it: as torch
    counts what it takes and frees. What the process has of the system depends on what it has done before."""

    def __init__(self, device: torch.device) -> None:
        self.num_bytes, self._cuda = 0, device.type == "cuda"

    def __enter__(self) -> Self:
        _ONE_AT_A_TIME.acquire()
        try:
            gc.collect()
            self._begin()
        except BaseException:
            _ONE_AT_A_TIME.release()
            raise
        return self

    def _begin(self) -> None:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            self._taken_and_freed = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
            self._taken_and_freed.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.num_bytes = self._peak_on_cuda() if self._cuda else self._peak()
        finally:
            _ONE_AT_A_TIME.release()

    def _peak_on_cuda(self) -> int:
        return torch.cuda.max_memory_allocated() - self._before

    def _peak(self) -> int:
        self._taken_and_freed.stop()
        recorded: Any = self._taken_and_freed.profiler
        events = (event for event in recorded.kineto_results.events() if event.name() == "[memory]")
        in_time = sorted((event.start_ns(), int(event.nbytes())) for event in events)
        return max(accumulate((num_bytes for _, num_bytes in in_time), initial=0))


def available_memory(device: torch.device) -> int:
    """Bytes that this process may still take: of the device, or of the machine, within what it is limited to."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return room_of_process()
