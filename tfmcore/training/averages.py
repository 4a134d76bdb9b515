"""A moving average of the weights, which is often the better model (https://arxiv.org/abs/1803.05407)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Averages:
    """The average of each of `weights`, which begins as they are now. `count` are the updates so far."""

    def __init__(self, weights: Sequence[nn.Parameter], decay: float, count: int = 0) -> None:
        self.weights, self.decay, self.count = weights, decay, count
        self.values: list[Tensor] = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights in. The first ones count more, for what one began with shall soon be forgotten."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        if self.values:  # of a pipeline's stage all may be frozen
            torch._foreach_lerp_(self.values, list(self.weights), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the average stand where the weights are; nothing is copied."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for index, weight in enumerate(self.weights):
            weight.data, self.values[index] = self.values[index], weight.data
