"""Several projections of one input, kept in one matrix: one large product is faster than some small ones."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST_ROWS = 16
"""Of more vectors torch's own product is as fast."""
HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (…, D) by weight (N, D), plus the bias: (…, N). Beams are a few vectors that meet a matrix laid out by columns
    (see `lay_out`), which oneDNN multiplies 1.2 to 3 times as fast as torch's choice."""
    by_columns = torch.is_inference_mode_enabled() and weight.stride(0) == 1 and weight.shape[1] > 1
    known = HAS_ONEDNN and weight.is_cpu and weight.dtype == x.dtype == torch.float32
    if by_columns and known and 1 < x.numel() // x.shape[-1] <= MOST_ROWS:
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], ""))
    return F.linear(x, weight, bias)


class FusedLinear(nn.Linear):
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
