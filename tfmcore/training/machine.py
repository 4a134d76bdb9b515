"""How fast this machine multiplies matrices and reads memory: what a model's speed is a share of."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

SIZE = 1024
"""Rows and columns of the matrices that are multiplied."""
NUM_BYTES = 2**28
"""So much memory is read at once, which no processor's cache holds."""
SECONDS = 0.2
"""So long each is repeated, at least."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Machine:
    """The best of some measurements: floating-point operations and bytes, a second."""

    flops_per_second: float
    bytes_per_second: float


@torch.inference_mode()
def probe(device: torch.device, precision: str = "fp32") -> Machine:
    """Measure the device with the threads that torch has now."""
    a, b = (torch.randn(SIZE, SIZE, device=device).to(DTYPES[precision]) for _ in range(2))
    memory = torch.ones(NUM_BYTES // 4, device=device)
    return Machine(
        2 * SIZE**3 / _shortest(lambda: a @ b, device),
        NUM_BYTES / _shortest(lambda: torch.dot(memory, memory), device),
    )


def _shortest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of `work` at its quickest."""
    shortest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or shortest == float("inf"):
        begin = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest
