"""Low-rank adaptation (LoRA, https://arxiv.org/abs/2106.09685): a matrix stays as it is and learns a small update."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.dropout import Dropout
from tfmcore.nn.linear import FusedLinear


class LowRank(nn.Module):
    """alpha ÷ rank · up(down(dropout(x))), which is added to a projection's result; each of the projections that a
    FusedLinear keeps together has factors of its own. `up` begins at zero, so at first nothing is added."""

    def __init__(self, sizes: tuple[int, ...], in_features: int, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.rank, self.scale = rank, alpha / rank
        self.dropout = Dropout(dropout)
        self.down = nn.Parameter(torch.empty(len(sizes) * rank, in_features))
        self.up = nn.ParameterList(torch.zeros(size, rank) for size in sizes)
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """x (…, D) → (…, sum(sizes))"""
        low = torch.split(F.linear(self.dropout(x), self.down), self.rank, -1)
        return torch.cat([F.linear(part, up) for part, up in zip(low, self.up, strict=True)], -1) * self.scale

    def part(self, x: Tensor, index: int) -> Tensor:
        """The update of one projection alone: (…, D) → (…, sizes[index])."""
        down = torch.split(self.down, self.rank)[index]
        return F.linear(F.linear(self.dropout(x), down), self.up[index]) * self.scale

    def matrix(self) -> Tensor:
        """The update as a matrix, of the weight's shape."""
        downs = torch.split(self.down, self.rank)
        return torch.cat([up @ down for up, down in zip(self.up, downs, strict=True)]) * self.scale


class AdaptedLinear(FusedLinear):
    """A projection with an update of low rank. Weight and bias are those of `linear`, and have the same names."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float = 16.0, dropout: float = 0.0) -> None:
        sizes = getattr(linear, "sizes", (linear.out_features,))
        with torch.device("meta"):
            super().__init__(linear.in_features, sizes, getattr(linear, "biased", linear.bias is not None))
        self.weight, self.bias = linear.weight, linear.bias
        self.low_rank: LowRank | None = LowRank(self.sizes, linear.in_features, rank, alpha, dropout)

    def forward(self, x: Tensor) -> Tensor:
        result = super().forward(x)
        return result if self.low_rank is None else result + self.low_rank(x)

    def part(self, x: Tensor, index: int) -> Tensor:
        result = super().part(x, index)
        return result if self.low_rank is None else result + self.low_rank.part(x, index)


def add_low_rank(model: nn.Module, name: str, rank: int, alpha: float = 16.0, dropout: float = 0.0) -> None:
    """Have the projection called `name` in `model` learn an update of that rank."""
    parent, _, own = name.rpartition(".")
    linear = model.get_submodule(name)
    assert isinstance(linear, nn.Linear)
    setattr(model.get_submodule(parent), own, AdaptedLinear(linear, rank, alpha, dropout))


def unmerged(model: nn.Module) -> dict[str, nn.Parameter]:
    """What a merged model no longer tells, by name: the matrices that have an update, and its factors."""
    return {
        f"{name}.{own}": weight
        for name, module in model.named_modules()
        if isinstance(module, AdaptedLinear)
        for own, weight in module.named_parameters()
        if own != "bias"
    }


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Within, every matrix is the sum of itself and its update, and the factors are away: a plain model, to be saved.
    Afterwards all is what it was, to the bit."""
    adapted = [module for module in model.modules() if isinstance(module, AdaptedLinear) and module.low_rank]
    kept = [(linear, linear.low_rank, linear.weight.data) for linear in adapted]
    try:
        for linear, low_rank, weight in kept:
            assert low_rank is not None
            linear.weight.data = weight + low_rank.matrix().detach()
            linear.low_rank = None
        yield
    finally:
        for linear, low_rank, weight in kept:
            linear.weight.data, linear.low_rank = weight, low_rank
