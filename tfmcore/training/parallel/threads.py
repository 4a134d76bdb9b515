"""One process whose threads take shares of each batch."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import torch
from torch import Tensor, nn

from tfmcore.nn.kernels.dropout import SEEDS, own_random_numbers
from tfmcore.training.batches import DeviceBatch, shares_of
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.precision import Precision

Gradients = Sequence[Tensor | None]


class Threads(Strategy):
    """A batch is computed in shares side by side, each by its part of the processor's threads. These wait for each
    other when a share is done, not in each product, norm and sum of it; and while the next kernel of one share is
    called, another share computes. The shares' gradients are added in their order, so that they are the same each
    time, and each share has its own random numbers. A module's hooks are called for each share: for the first one by
    the thread that takes the step, for the others by theirs. Shares that are compiled, whose compiler is at work for
    the whole process, are computed one after another when they are of new shapes, the first one first: what it compiles
    the others find, and a signal can interrupt it."""

    def __init__(self, num_shares: int) -> None:
        self.num_shares = num_shares
        self._others = ThreadPoolExecutor(num_shares - 1, "shares")
        self._compiled = set[tuple[torch.Size, ...]]()

    def parallelize(self, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
        self._weights = [weight for weight in objective.parameters() if weight.requires_grad]

    @contextlib.contextmanager
    def in_step(self) -> Iterator[None]:
        """As many threads as a share has: an update of a small model is done before others are awake."""
        threads = torch.get_num_threads()
        torch.set_num_threads(max(1, threads // self.num_shares))
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def backward(
        self, objective: Objective, batches: Sequence[DeviceBatch], num_labels: int, precision: Precision
    ) -> Tensor:
        own = torch.get_num_threads()

        def other(share: DeviceBatch, seed: int) -> tuple[Tensor, Gradients]:
            torch.set_num_threads(own)
            with own_random_numbers(seed):
                with precision.forward():
                    sums = objective(share)
                loss = precision.scaled(sums.objective / num_labels)
                return sums.nats.detach(), torch.autograd.grad(loss, self._weights, allow_unused=True)

        nats = torch.zeros(())
        for batch in batches:
            shares = shares_of(batch, self.num_shares)
            seeds = torch.randint(SEEDS, (len(shares),)).tolist()
            side_by_side = self._are_compiled(shares) if objective.is_compiled else True
            given, others = zip(shares[1:], seeds[1:], strict=True), list[Future[tuple[Tensor, Gradients]]]()
            if side_by_side:
                others += [self._others.submit(other, *each) for each in given]
            try:
                with own_random_numbers(seeds[0]):
                    nats += super().backward(objective, shares[:1], num_labels, precision)
            finally:
                wait(others)
            for each in given:  # what is left
                others.append(self._others.submit(other, *each))
                wait(others)
            for more, found in (each.result() for each in others):
                nats += more
                _add_to_gradients(self._weights, found)
        return nats

    def _are_compiled(self, shares: Sequence[DeviceBatch]) -> bool:
        """From the second time on that shares have these shapes."""
        shapes = tuple(tensor.shape for share in shares for tensor in share.inputs.values())
        known = shapes in self._compiled
        self._compiled.add(shapes)
        return known


@torch.no_grad()
def _add_to_gradients(weights: Sequence[nn.Parameter], found: Gradients) -> None:
    gradients, more = list[Tensor](), list[Tensor]()
    for weight, gradient in zip(weights, found, strict=True):
        if gradient is not None:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            gradients.append(weight.grad)
            more.append(gradient)
    torch._foreach_add_(gradients, more)
