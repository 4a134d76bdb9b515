"""Dropout (https://jmlr.org/papers/v15/srivastava14a.html), of random numbers that a thread may have to itself."""

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _OwnNumbers(threading.local):
    generator: torch.Generator | None = None


_own = _OwnNumbers()


@contextlib.contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Within, this thread's dropout draws from `seed`, whatever other threads draw from torch's random state."""
    _own.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        _own.generator = None


def has_own_random_numbers() -> bool:
    """Whether torch's kernels with a dropout of their own cannot be used here, for they draw from its random state."""
    return not torch.compiler.is_compiling() and _own.generator is not None


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Zeros with probability `p`, the rest divided by 1 - p; `x` itself where nothing is trained."""
    if not training or p == 0 or not has_own_random_numbers():
        return F.dropout(x, p, training)
    return x * torch.empty_like(x).bernoulli_(1 - p, generator=_own.generator).div_(1 - p)


class Dropout(nn.Dropout):
    """`dropout` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)
