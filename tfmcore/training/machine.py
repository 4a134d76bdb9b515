"""How fast this machine multiplies matrices and reads memory: what a model's speed is a share of."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tfmcore.training.precision import PRECISIONS

SIZE = {"cpu": 1024, "cuda": 8192}
"""Rows and columns of the matrices that are multiplied: a GPU is busy with large ones only."""
NUM_BYTES = {"cpu": 2**28, "cuda": 2**30}
"""So much memory is read at once, which no cache holds."""
SECONDS = 0.2
"""So long each is repeated, at least."""


@dataclass(frozen=True)
class Machine:
    """The best of some measurements: floating-point operations and bytes, a second."""

    flops_per_second: float
    bytes_per_second: float


@torch.inference_mode()
def probe(device: torch.device, precision: str = "fp32") -> Machine:
    """Measure the device with the threads that torch has now."""
    numbers, kind = PRECISIONS[precision](device), device.type if device.type in SIZE else "cpu"
    size, num_bytes = SIZE[kind], NUM_BYTES[kind]
    a, b = (torch.randn(size, size, device=device).to(numbers.dtype) for _ in range(2))
    memory = torch.ones(num_bytes // 4, device=device)
    with numbers.forward():
        seconds = _shortest(lambda: a @ b, device)
    return Machine(2 * size**3 / seconds, num_bytes / _shortest(lambda: torch.dot(memory, memory), device))


def _shortest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of `work` at its quickest."""
    shortest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or shortest == float("inf"):
        begin = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest
