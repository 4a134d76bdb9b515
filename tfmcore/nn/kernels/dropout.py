"""Which numbers a processor drops, of random numbers that a thread may have to itself."""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

SEEDS = 2**62
"""A seed is one of so many."""
LEVELS = 2**8
"""What decides about a number is one of so many."""
MOST = 1 - 1 / LEVELS
"""A larger share is torch's to drop."""


class _Own(threading.local):
    numbers: np.random.BitGenerator | None = None


_own = _Own()


@contextlib.contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Within, this thread's dropout on a processor draws from `seed`, whatever others draw from torch's state."""
    _own.numbers = np.random.SFC64(seed)
    try:
        yield
    finally:
        _own.numbers = None


def random_numbers() -> np.random.BitGenerator:
    """Those of this thread, or new ones seeded from torch's random state."""
    return _own.numbers or np.random.SFC64(int(torch.randint(SEEDS, ())))


class Choice:
    """Which numbers a processor drops, of bytes: eight come of one random number of 64 bits, in a tenth of the time
    that torch's own take. What is dropped of a tensor is p rounded to a 256th, up or down by chance, so that it is p
    in the mean."""

    def __init__(self, p: float, numbers: np.random.BitGenerator) -> None:
        self._numbers = numbers
        self._dropped = int(p * LEVELS + numbers.random_raw() / 2**64)

    def kept(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """1 for what is kept of the next ones, 0 for the others."""
        count = math.prod(shape)
        drawn = torch.from_numpy(self._numbers.random_raw(-(-count // 8)).view(np.uint8))[:count]
        return torch.ge(drawn, self._dropped, out=torch.empty(count, dtype=dtype)).view(shape)


def dropout_on_cpu(x: Tensor, p: float) -> Tensor:
    return x * Choice(p, random_numbers()).kept(x.shape, x.dtype).mul_(1 / (1 - p))
