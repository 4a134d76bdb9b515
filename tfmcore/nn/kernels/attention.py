"""softmax(q kᵀ · scale + mask) v without its weights: by torch's kernel, or by plain products where it is slow."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tfmcore.config.activations import MOST_COMPILED, MOST_KEPT, QUERIES
from tfmcore.nn.kernels.dropout import Choice, random_numbers
from tfmcore.nn.mask import Mask

CHUNK = 2**20
"""So many weights at a time stay in the processor's cache."""


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float, scale: float) -> Tensor:
    """q (B, H, T, E) on k and v (B, K, S, E), K a divisor of H → (B, H, T, E)."""
    if mask.until is not None:
        return cast(Tensor, torch.ops.tfm.until(q, k, v, mask.until, mask.tensor, scale))
    if q.is_cpu and (dropout > 0 or _plain_is_faster(q, k)):
        return plain_products(q, k, v, mask, dropout, scale)
    return F.scaled_dot_product_attention(
        q, k, v, mask.tensor, dropout, is_causal=mask.causal, scale=scale, enable_gqa=q.shape[1] > k.shape[1]
    )


def _until(q: Tensor, k: Tensor, v: Tensor, last: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Newest tokens q (B, H, 1, E) on the keys up to the `last` (1,), with a bias (B or 1, H or 1, 1, S); what there is
    room for after these is not read."""
    length = int(last) + 1
    k, v = k.narrow(2, 0, length), v.narrow(2, 0, length)
    if bias is not None:
        bias = bias.narrow(3, 0, length)
    return F.scaled_dot_product_attention(q, k, v, bias, scale=scale, enable_gqa=q.shape[1] > k.shape[1])


_library = torch.library.Library("tfm", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define("until(Tensor q, Tensor k, Tensor v, Tensor last, Tensor? bias, float scale) -> Tensor")  # type: ignore[no-untyped-call]
_library.impl("until", _until, "CPU")  # type: ignore[no-untyped-call]
OPERATIONS = {torch.ops.tfm.until.default: _until}
"""What a recorded step takes as one kernel, though what it reads differs from token to token."""


def _plain_is_faster(q: Tensor, k: Tensor) -> bool:
    """In bf16 the kernel's gradient takes 2 to 6 times as long as that of plain products. A compiler, which makes all
    weights at once, is faster than the kernel in fp32 too, where they are few."""
    if not torch.is_grad_enabled():
        return False
    numbers = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    compiles = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
    if compiles and q.shape[:3].numel() * k.shape[2] > MOST_COMPILED:
        return False
    return numbers == torch.bfloat16 or (compiles and numbers == torch.float32)


def plain_products(q: Tensor, k: Tensor, v: Tensor, mask: Mask, dropout: float, scale: float) -> Tensor:
    """`scaled_dot_product` on a processor, where the kernel has no dropout and torch's way around it makes all weights
    at once."""
    q, k, v, bias = as_products_take_them(q, k, v, mask)
    return cast(Tensor, _PlainProducts.apply(q, k, v, bias, mask.causal, scale, dropout))  # type: ignore[no-untyped-call]


def as_products_take_them(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Keys and values for each head of the queries, (B, H, S, E), all in the numbers that products are made in here,
    and what is added to the scores."""
    if torch.is_autocast_enabled("cpu"):
        q, k, v = (x.to(torch.get_autocast_dtype("cpu")) for x in (q, k, v))
    if (groups := q.shape[1] // k.shape[1]) > 1:
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    return q, k, v, _bias(mask, q)


def all_at_once(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, scale: float, p: float, kept: Tensor | None
) -> Tensor:
    """What `plain_products` come to, for a compiler; `kept` is (B·H, T, S), where something is dropped."""
    shape, heads = q.shape, slice(0, q.shape[0] * q.shape[1])
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    weights = _weights(q, k, _of(bias, heads, shape), causal, scale)
    mixed = torch.bmm(weights, v) if kept is None else torch.bmm(weights * kept, v).mul(1 / (1 - p))
    return mixed.view(shape)


def weights_kept(shape: Sequence[int], S: int, is_biased: bool, causal: bool, p: float, dtype: torch.dtype) -> Tensor:
    """What `plain_products` keep of all the weights that are seen, (B·H, T, S), for q of that shape."""
    B, H, T, _ = shape
    kept, choice = torch.zeros((B * H, T, S), dtype=dtype), _choice(p, random_numbers().random_raw())
    for few, rows, seen in _parts(shape, S, is_biased, causal):
        part = kept[few, rows, seen]
        part.copy_(choice.kept(part.shape, dtype))
    return kept


def _bias(mask: Mask, q: Tensor) -> Tensor | None:
    """What the tensor of `mask` adds to the scores, in q's numbers: (B or 1, H or 1, T or 1, S). Where nothing is
    allowed it is not -inf, whose softmax is no number, but the least number."""
    least = torch.finfo(q.dtype).min
    if mask.tensor is None:
        return None
    if mask.tensor.is_floating_point():
        return mask.tensor.to(q.dtype).clamp(min=least)
    bias = q.new_zeros(mask.tensor.shape).masked_fill_(~mask.tensor, least)
    return bias.expand(*(1,) * (4 - bias.dim()), *bias.shape)


class _PlainProducts(torch.autograd.Function):
    """A few queries at a time, so that their weights stay in the processor's cache; unless they are all of them, the
    weights are calculated once more for the gradient, and drawn again which of them are dropped, which takes less time
    than fetching them (https://arxiv.org/abs/2205.14135)."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, scale: float, p: float
    ) -> Tensor:
        shape, seed = q.shape, random_numbers().random_raw() if p else 0
        q, k, v = (x.flatten(0, 1) for x in (q, k, v))  # (B·H, T or S, E)
        parts = [*_parts(shape, k.shape[1], bias is not None, causal)]
        ctx.facts = shape, causal, scale, p, seed, parts
        out, choice = torch.empty_like(q), _choice(p, seed) if p else None
        with torch.autocast("cpu", enabled=False):
            for few, rows, seen in parts:
                weights = _weights(q[few, rows], k[few, seen], _of(bias, few, shape), causal, scale)
                chosen = choice.kept(weights.shape, weights.dtype) if choice else None
                mixing = weights if chosen is None else weights * chosen
                out[few, rows].baddbmm_(mixing, v[few, seen], beta=0, alpha=1 / (1 - p))
        kept = (weights, chosen) if len(parts) == 1 and weights.numel() <= MOST_KEPT else (None, None)
        ctx.save_for_backward(q, k, v, bias, *kept)
        return out.view(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, weights, chosen = ctx.saved_tensors
        shape, causal, scale, p, seed, parts = ctx.facts
        into_out, S, grown = gradient.flatten(0, 1), k.shape[1], 1 / (1 - p)
        into_q, into_k, into_v = (torch.empty_like(x) for x in (q, k, v))
        into_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        is_kept, choice = weights is not None, _choice(p, seed) if p else None
        for few, rows, seen in parts:
            if not is_kept:
                weights = _weights(q[few, rows], k[few, seen], _of(bias, few, shape), causal, scale)
                chosen = choice.kept(weights.shape, weights.dtype) if choice else None
            into_weights, mixing = into_out[few, rows] @ v[few, seen].transpose(1, 2), weights
            if chosen is not None:
                into_weights, mixing = into_weights.mul_(chosen), weights * chosen
            into_scores = torch._softmax_backward_data(into_weights, weights, -1, weights.dtype)
            before = 0 if seen.stop == S else 1  # the first part of these heads sees all keys
            into_v[few, seen].baddbmm_(mixing.transpose(1, 2), into_out[few, rows], beta=before, alpha=grown)
            into_k[few, seen].baddbmm_(into_scores.transpose(1, 2), q[few, rows], beta=before, alpha=scale * grown)
            into_q[few, rows].baddbmm_(into_scores, k[few, seen], beta=0, alpha=scale * grown)
            if into_bias is not None:
                part = _sequences(into_bias, few, shape)
                part.add_(into_scores.view(-1, *shape[1:3], S).sum_to_size(part.shape), alpha=grown)
        B, H, _, E = shape
        return into_q.view(shape), into_k.view(B, H, S, E), into_v.view(B, H, S, E), into_bias, None, None, None


def _choice(p: float, seed: int) -> Choice:
    return Choice(p, np.random.SFC64(seed))


def _parts(shape: Sequence[int], S: int, biased: bool, causal: bool) -> Iterator[tuple[slice, slice, slice]]:
    """Which of the B·H heads, which of their queries, the last ones first, and which keys these see; whole sequences
    where there is a bias."""
    B, H, T, _ = shape
    block = min(T, QUERIES if torch.get_num_threads() > 1 else QUERIES // 2) if causal else T
    size = max(1, CHUNK // (block * S))
    if biased:
        size = max(1, size // H) * H
    for start in range(0, B * H, size):
        for end in range(T, 0, -block):
            few, rows = slice(start, min(B * H, start + size)), slice(max(0, end - block), end)
            yield few, rows, slice(0, end if causal else S)


def _sequences(bias: Tensor, few: slice, shape: torch.Size) -> Tensor:
    """The sequences' own, unless they share it."""
    return bias if len(bias) == 1 else bias[few.start // shape[1] : few.stop // shape[1]]


def _of(bias: Tensor | None, few: slice, shape: torch.Size) -> Tensor | None:
    """The bias of some heads: (b·H or 1, T or 1, S)."""
    if bias is None or bias.shape[:2] == (1, 1):
        return bias if bias is None else bias[0]
    _, H, T, _ = shape
    return _sequences(bias, few, shape).expand((few.stop - few.start) // H, H, T, -1).flatten(0, 1)


def _weights(q: Tensor, k: Tensor, bias: Tensor | None, causal: bool, scale: float) -> Tensor:
    """softmax(q kᵀ · scale + bias) of the last queries that see these keys, if it is causal: (b·H, t, s)"""
    added, (t, s) = bias, (q.shape[1], k.shape[1])
    if causal:
        unseen = q.new_full((t, s), float("-inf")).triu_(1 + s - t)
        added = unseen if bias is None else bias + unseen
    beta = int(added is not None)
    added = q.new_empty((1, 1, 1)) if added is None else added
    return torch.baddbmm(added, q, k.transpose(1, 2), beta=beta, alpha=scale).softmax(-1)
