"""The most memory that was in use during a piece of work."""

import gc
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import torch

from tfmcore.training.heap import give_back_free_memory
from tfmcore.training.room import room_of_process

SAMPLE_SECONDS = 0.001
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the most memory that was in use inside a `with`, beyond what was in use before it."""

    def __init__(self, device: torch.device) -> None:
        self.num_bytes, self._cuda, self._process = 0, device.type == "cuda", psutil.Process()

    def __enter__(self) -> Self:
        gc.collect()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
            return self
        give_back_free_memory()
        self._told = forget_peak()
        self._before = self._peak = self._in_use()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        if not self._told:
            self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._cuda:
            self._peak = torch.cuda.max_memory_allocated()
        elif self._told:
            self._peak = peak_since_forgotten()
        else:
            self._ended.set()
            self._watch.join()
        self.num_bytes = max(0, self._peak - self._before)

    def _look(self) -> None:
        """Where the system tells what is in use now, but not the peak since a moment of ours."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, self._in_use())

    def _in_use(self) -> int:
        return int(self._process.memory_info().rss)


def forget_peak() -> bool:
    """Have the system (Linux) watch for the process's peak of memory from now on; whether it does."""
    try:
        FORGET.write_text("5")
        return peak_since_forgotten() > 0
    except (OSError, StopIteration):
        return False


def peak_since_forgotten() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def available_memory(device: torch.device) -> int:
    """Bytes that this process may still take: of the device, or of the machine, within what it is limited to."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return room_of_process()
