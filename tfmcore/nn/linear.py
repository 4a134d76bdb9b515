"""Linear maps, and several of one input kept in one matrix: one large product is faster than some small ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.kernels.linear import linear


class Linear(nn.Linear):
    """Maps (…, in_features) to (…, out_features)."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class FusedLinear(Linear):
    """Maps (…, D) to (…, sum(sizes)): the results of all projections beside each other, in the order of `sizes`.
    `bias` says for all of them, or for each, whether it has one; only those are kept."""

    def __init__(self, in_features: int, sizes: Sequence[int], bias: bool | Sequence[bool] = True) -> None:
        biased = (bias,) * len(sizes) if isinstance(bias, bool) else tuple(bias)
        super().__init__(in_features, sum(sizes), all(biased))
        self.sizes, self.biased = tuple(sizes), biased
        if any(biased) and not all(biased):
            self.bias = nn.Parameter(torch.zeros(sum(size for size, has in zip(sizes, biased, strict=True) if has)))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.whole_bias())

    def whole_bias(self) -> Tensor | None:
        """A number for each result, 0 for those without a bias; None where no projection has one."""
        if self.bias is None or all(self.biased):
            return self.bias
        kept = iter(torch.split(self.bias, [size for size, has in zip(self.sizes, self.biased, strict=True) if has]))
        parts = zip(self.sizes, self.biased, strict=True)
        return torch.cat([next(kept) if has else self.bias.new_zeros(size) for size, has in parts])

    def part(self, x: Tensor, index: int) -> Tensor:
        """One projection alone: (…, D) → (…, sizes[index])."""
        start = sum(self.sizes[:index])
        bias, end = self.whole_bias(), start + self.sizes[index]
        return F.linear(x, self.weight[start:end], None if bias is None else bias[start:end])
