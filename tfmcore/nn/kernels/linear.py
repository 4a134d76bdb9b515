"""x Wᵀ + b by the product that is the fastest: torch's own, or oneDNN's by name."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 16
"""So many vectors at once, as in writing, are few: of more, torch's own product is as fast as any."""
LARGE = 2**19
"""From so many weights on, oneDNN shares the product of one vector between threads, which MKL does not."""
ALIGNED = 64
"""A GPU's fastest products are those of matrices whose rows and columns are multiples of so many."""
EXACT = 1e-5
"""An error of fp32, to the largest result; one of bf16 would be a hundred times as large."""
HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
LEARNS_BY_ONEDNN: bool = HAS_ONEDNN and torch.backends.cpu.get_cpu_capability() == "AVX512"
"""Whether its products of many vectors are the faster ones: those of AVX-512 are 1.06 to 1.14 times as fast as MKL's,
those of AVX2 0.7 to 1.0 times (measured on Zen 4 and Zen 3)."""

HAS_BF16: bool = HAS_ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported()
HAS_FP16: bool = HAS_ONEDNN and torch.ops.mkldnn._is_mkldnn_fp16_supported()
"""Whether the processor multiplies in them. One with AVX2 alone takes 20 to 190 times as long for it as in fp32."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (…, D) by weight (N, D), plus the bias: (…, N), by the product that was measured to be the fastest."""
    known = HAS_ONEDNN and x.is_cpu and weight.dtype == x.dtype == torch.float32 and weight.shape[1] > 1
    if not known or type(weight) not in (Tensor, nn.Parameter):
        return F.linear(x, weight, bias)
    if torch.is_inference_mode_enabled():
        # A token is one vector, beams are a few. Beams that meet columns (see `lay_out`): 1.2 to 3 times as fast.
        vectors = x.numel() // x.shape[-1]
        if 0 < vectors <= FEW and (vectors > 1 if weight.stride(0) == 1 else weight.numel() >= LARGE):
            return by_onednn(x, weight, bias)
    elif LEARNS_BY_ONEDNN and torch.is_grad_enabled() and not _is_chosen_elsewhere():
        return cast(Tensor, _Trained.apply(x, weight, bias))  # type: ignore[no-untyped-call]
    return F.linear(x, weight, bias)


def linear_in_bf16(x: Tensor, weight: Tensor) -> Tensor:
    """x (…, D) by weight (N, D), both bf16 as the result: a processor without such products makes them in fp32, and
    rounds what comes of them."""
    if x.is_cpu and not HAS_BF16:
        return F.linear(x.float(), weight.float()).bfloat16()
    return F.linear(x, weight)


def _is_chosen_elsewhere() -> bool:
    """Autocast, and a compiler that traces, choose the product themselves."""
    return torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling()


def missing_rows(x: Tensor, weight: Tensor) -> int:
    """How many more rows than `weight` (N, D) has suit a GPU better: N is what a vocabulary happens to have, and 50,257
    results took two to four times as long as 50,304 do. 0 where it does not matter."""
    many = x.numel() > FEW * x.shape[-1] and weight.numel() >= LARGE
    return -len(weight) % ALIGNED if x.is_cuda and many and type(weight) in (Tensor, nn.Parameter) else 0


def by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As F.linear, whose products are MKL's."""
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], ""))


class _Trained(torch.autograd.Function):
    """By oneDNN, but for the gradient of the weights, where it is no faster."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return by_onednn(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        into_x = by_onednn(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        rows = gradient.reshape(-1, len(weight))
        into_weight = rows.t() @ x.reshape(-1, x.shape[-1]) if ctx.needs_input_grad[1] else None
        return into_x, into_weight, rows.sum(0) if ctx.needs_input_grad[2] else None


def compiled_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`linear` as a compiler has it: without the question whether this is inference, which would cut a layer into
    pieces."""
    narrow = x.is_cuda and torch.is_autocast_enabled("cuda") and torch.is_grad_enabled()
    if narrow and type(weight) in (Tensor, nn.Parameter):
        return cast(Tensor, _Narrow.apply(x, weight, bias, torch.get_autocast_dtype("cuda")))  # type: ignore[no-untyped-call]
    return F.linear(x, weight, bias)


class _Narrow(torch.autograd.Function):
    """Autocast's product on a GPU. But the gradient of the weights stays fp32, as a GPU sums it up: it is not rounded,
    and one kernel less is called."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        x, weight = x.to(dtype), weight.to(dtype)
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, None if bias is None else bias.to(dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, len(weight))
        into_x = gradient @ weight if ctx.needs_input_grad[0] else None
        into_weight = into_bias = None
        if ctx.needs_input_grad[1]:
            into_weight = torch.mm(rows.t(), x.reshape(-1, x.shape[-1]), out_dtype=torch.float32)
        if ctx.needs_input_grad[2]:
            into_bias = rows.sum(0, dtype=torch.float32)
        return into_x, into_weight, into_bias, None


@contextlib.contextmanager
def all_by_onednn() -> Iterator[None]:
    """Within, every product in fp32 is oneDNN's, where it computes exactly: 1.05 to 1.15 times as fast as MKL's. But
    torch's attention kernel, which makes many small ones, takes twice as long."""
    before = _precision()
    _set_precision("bf16" if computes_exactly() else before)
    try:
        yield
    finally:
        _set_precision(before)


@functools.cache
def computes_exactly() -> bool:
    """Whether oneDNN computes in fp32 though it is allowed to round factors to bf16, for that is how torch hands it all
    products: it rounds where the processor is faster then."""
    if not HAS_ONEDNN:
        return False
    numbers, before = torch.Generator().manual_seed(0), _precision()
    _set_precision("bf16")
    try:
        for shape in ((64, 64), (384, 512), (8, 64, 64)):
            x, y = (torch.randn(shape, generator=numbers) for _ in range(2))
            for left, right in ((x, y.mT), (x.mT, y)):
                exact = left.double() @ right.double()
                if (left @ right - exact).abs().max() > EXACT * exact.abs().max():
                    return False
    finally:
        _set_precision(before)
    return True


def _precision() -> str:
    return str(torch.backends.mkldnn.matmul.fp32_precision)  # type: ignore[attr-defined]


def _set_precision(precision: str) -> None:
    torch.backends.mkldnn.matmul.fp32_precision = precision  # type: ignore[attr-defined]
