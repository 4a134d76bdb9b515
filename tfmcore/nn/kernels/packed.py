"""Linear layers for writing token by token, which takes as long as reading their weights: in fewer bits, or laid out so
that they are read faster."""

from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.kernels.linear import FEW, HAS_BF16, by_onednn, linear, linear_in_bf16

TILE = 16
"""The int8 product reads so many weights of a row at a time, and beyond its end if it must."""
NARROW, WIDE = 256, 2048
"""It is fast with rows of so many weights, and with rows that are far longer."""
SMALLEST = 1e-30
"""In place of a row of zeros' largest weight, by which its weights are divided."""
LEAST_WEIGHTS = 2**15
"""A smaller matrix stays in the processor's cache, however it is laid out."""
SMALL = 2**17
"""The product of a smaller matrix in fp32 is over before a shorter one has begun."""


class PackedLinear(nn.Module):
    """Maps (…, D) to (…, N) by a matrix of its own format, times the input as bf16. The bias is added in fp32, which
    the result is too, so that only the product loses digits. On a processor a small matrix has the numbers of that
    format, but stays fp32. `num_bytes` are read for each token."""

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, sizes: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.bias = None if bias is None else bias.detach()
        self.sizes = sizes or (len(weight),)
        self.rounded: Tensor | None = None
        if weight.is_cpu and weight.numel() < SMALL:
            self.rounded = self.round(weight.detach())
            self.num_bytes = self.rounded.nbytes
            lay_out(self.rounded)
        else:
            self.product, self.num_bytes = self.pack(weight.detach())

    def round(self, weight: Tensor) -> Tensor:
        """The nearest numbers that the format has, in fp32."""
        raise NotImplementedError

    def pack(self, weight: Tensor) -> tuple[Callable[[Tensor], Tensor], int]:
        """What multiplies bf16 (…, D) by the `weight` (N, D), as bf16, and the bytes of the weights."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if self.rounded is not None:
            return linear(x.float(), self.rounded, self.bias)
        result = self.product(x.bfloat16()).float()
        return result if self.bias is None else result + self.bias

    def part(self, x: Tensor, index: int) -> Tensor:
        """One of the projections that a FusedLinear keeps together: (…, D) → (…, sizes[index])."""
        return torch.split(self.forward(x), list(self.sizes), -1)[index]


class BFloat16Linear(PackedLinear):
    """Weights in bf16. One vector meets them in torch's own product, 1.3 to 1.6 times as fast as oneDNN's, which torch
    takes while that is off, as it is while a token is read. Several meet them in oneDNN's; a few, as beams are, in the
    order in which it reads them, in which they are kept too once it is needed."""

    def round(self, weight: Tensor) -> Tensor:
        return weight.contiguous().bfloat16().float()

    def pack(self, weight: Tensor) -> tuple[Callable[[Tensor], Tensor], int]:
        narrow, on_cpu = weight.contiguous().bfloat16(), weight.is_cpu

        @cache
        def ordered() -> Tensor:
            return cast(Tensor, torch.ops.mkldnn._reorder_linear_weight(narrow, 1))

        def product(x: Tensor) -> Tensor:
            vectors = x.numel() // x.shape[-1]
            if on_cpu and vectors == 1:
                return torch.mv(narrow, x.flatten()).view(*x.shape[:-1], -1)
            if on_cpu and HAS_BF16:
                return by_onednn(x, ordered() if vectors <= FEW else narrow)
            return linear_in_bf16(x, narrow)

        return product, narrow.nbytes


class Int8Linear(PackedLinear):
    """Weights in int8, a scale for each row of the matrix: w ≈ scale · round(w ÷ scale)
    (https://arxiv.org/abs/2208.07339, section 2)."""

    def round(self, weight: Tensor) -> Tensor:
        scale, whole = _scaled(weight.contiguous())
        return whole * scale.float()[:, None]

    def pack(self, weight: Tensor) -> tuple[Callable[[Tensor], Tensor], int]:
        scale, numbers = _scaled(F.pad(weight, (0, -weight.shape[1] % TILE)).contiguous())
        whole = [part.contiguous() for part in torch.split(numbers.to(torch.int8), widths(*numbers.shape), dim=1)]
        sizes = [part.shape[1] for part in whole]

        def product(x: Tensor) -> Tensor:
            rows = x.reshape(-1, x.shape[-1])
            if rows.shape[1] < sum(sizes):
                rows = F.pad(rows, (0, sum(sizes) - rows.shape[1]))
            if len(rows) > FEW:  # then it takes less time to make the weights bf16 again
                result = linear_in_bf16(rows, torch.cat(whole, 1).bfloat16()) * scale
            else:
                first, *others = (
                    torch._weight_int8pack_mm(part.contiguous(), weights, scale)
                    for part, weights in zip(torch.split(rows, sizes, 1), whole, strict=True)
                )
                result = first.float() if others else first
                for other in others:
                    result += other
            return result.view(*x.shape[:-1], len(scale))

        return product, weight.numel()


def widths(N: int, D: int) -> list[int]:
    """Of the parts that a matrix (N, D) is cut into, multiples of TILE. The int8 product reads four rows at once, and
    only as quickly as memory can while those are near each other: parts of 256 columns take half the time of 768."""
    parts = round(D / NARROW) if min(N, D) >= 2 * NARROW and D < WIDE else 1
    return [TILE * (D * (i + 1) // parts // TILE - D * i // parts // TILE) for i in range(parts)]


def _scaled(weight: Tensor) -> tuple[Tensor, Tensor]:
    """For each row a scale (N,), and whole numbers (N, D) from -127 to 127: their product is nearly the weight."""
    scale = (weight.abs().amax(1).clamp(min=SMALLEST) / 127).bfloat16()
    return scale, (weight / scale.float()[:, None]).round().clamp(-127, 127)


def lay_out(weight: Tensor) -> None:
    """Let the columns of a matrix (N, D) follow each other in memory where one vector is then multiplied faster: where
    it becomes a longer one, which is a sum of whole columns (1.4 to 1.8 times as fast). Only the last digits of results
    change."""
    N, D = weight.shape
    if N > D and N * D >= LEAST_WEIGHTS:
        weight.data = weight.data.t().contiguous().t()
