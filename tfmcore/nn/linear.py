"""Several projections of one input, kept in one matrix: one large product is faster than some small ones."""

from collections.abc import Sequence

from torch import nn


class FusedLinear(nn.Linear):
    """Maps (…, D) to (…, sum(sizes)): the results of all projections beside each other, in the order of `sizes`."""

    def __init__(self, in_features: int, sizes: Sequence[int], bias: bool = True) -> None:
        super().__init__(in_features, sum(sizes), bias)
        self.sizes = tuple(sizes)
