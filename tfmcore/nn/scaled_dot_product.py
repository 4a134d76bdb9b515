"""softmax(q kᵀ · scale + mask) v without its weights: by torch's kernel, or by plain products where it is slow."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from tfmcore.nn.mask import Mask

CHUNK = 2**20
"""So many weights at a time stay in the processor's cache."""


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float, scale: float) -> Tensor:
    """q (B, H, T, E) on k and v (B, K, S, E), K a divisor of H → (B, H, T, E)."""
    groups = q.shape[1] // k.shape[1]
    if dropout == 0 and _trains_in_bf16_on_cpu(q):
        q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
        if groups > 1:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        return cast(Tensor, _PlainProducts.apply(q, k, v, _bias(mask, q, k), scale))  # type: ignore[no-untyped-call]
    return F.scaled_dot_product_attention(
        q, k, v, mask.tensor, dropout, is_causal=mask.causal, scale=scale, enable_gqa=groups > 1
    )


def _trains_in_bf16_on_cpu(q: Tensor) -> bool:
    """There the kernel's gradient takes 2 to 6 times as long as that of plain products, though its fp32 is fast."""
    trains = q.is_cpu and torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return trains and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _bias(mask: Mask, q: Tensor, k: Tensor) -> Tensor:
    """What `mask` adds to the scores, in bf16: (B or 1, H or 1, T or 1, S). Where nothing is allowed it is not -inf,
    whose softmax is no number, but the least number."""
    least = torch.finfo(torch.bfloat16).min
    if mask.tensor is not None and mask.tensor.is_floating_point():
        return mask.tensor.bfloat16().clamp(min=least)
    allowed = mask.allowed(q.new_empty((1, 1, q.shape[2], k.shape[2])))
    if allowed is None:
        return q.new_zeros((1, 1, 1, k.shape[2]))
    return q.new_zeros(allowed.shape).masked_fill_(~allowed, least).expand(*(1,) * (4 - allowed.dim()), *allowed.shape)


class _PlainProducts(torch.autograd.Function):
    """All in bf16. A few sequences at a time, so that their weights stay in the processor's cache; for the gradient the
    weights are calculated once more, which takes less time than fetching them (https://arxiv.org/abs/2205.14135)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(q, k, v, bias)
        ctx.scale = scale
        B, H, T, E = q.shape
        out = q.new_empty((B, T, H, E)).transpose(1, 2)  # so that the heads of a token lie beside each other
        with torch.autocast("cpu", enabled=False):
            for few in _chunks(q, k):
                weights = _weights(q[few], k[few], _of(bias, few), scale)
                out[few] = (weights @ v[few].flatten(0, 1)).view(-1, H, T, E)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias = ctx.saved_tensors
        (_, H, T, E), S = q.shape, k.shape[2]
        into_q, into_k, into_v = (torch.empty_like(x) for x in (q, k, v))
        into_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        for few in _chunks(q, k):
            weights = _weights(q[few], k[few], _of(bias, few), ctx.scale)  # (b·H, T, S)
            into_out = gradient[few].flatten(0, 1)
            into_v[few] = (weights.transpose(1, 2) @ into_out).view(-1, H, S, E)
            into_weights = into_out @ v[few].flatten(0, 1).transpose(1, 2)
            into_scores = torch._softmax_backward_data(into_weights, weights, -1, weights.dtype)
            into_q[few] = (into_scores @ k[few].flatten(0, 1)).mul_(ctx.scale).view(-1, H, T, E)
            into_k[few] = (into_scores.transpose(1, 2) @ q[few].flatten(0, 1)).mul_(ctx.scale).view(-1, H, S, E)
            if into_bias is not None:
                part = _of(into_bias, few)
                part += into_scores.view(-1, H, T, S).sum_to_size(part.shape)
        return into_q, into_k, into_v, into_bias, None


def _chunks(q: Tensor, k: Tensor) -> Iterator[slice]:
    """Slices of the batch."""
    size = max(1, CHUNK // (q.shape[1] * q.shape[2] * k.shape[2]))
    return (slice(start, start + size) for start in range(0, len(q), size))


def _of(bias: Tensor, few: slice) -> Tensor:
    """The sequences' own, unless they share it."""
    return bias if len(bias) == 1 else bias[few]


def _weights(q: Tensor, k: Tensor, bias: Tensor, scale: float) -> Tensor:
    """softmax(q kᵀ · scale + bias): (b·H, T, S)"""
    b, H, T, _ = q.shape
    added = bias[0, 0] if bias.shape[:2] == (1, 1) else bias.expand(b, H, T, -1).flatten(0, 1)
    return torch.baddbmm(added, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=scale).softmax(-1)
