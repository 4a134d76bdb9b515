"""Multi-head attention (https://arxiv.org/abs/1706.03762, section 3.2), with grouped-query heads and a cache."""

from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.nn.cache import KeyValueCache
from tfmcore.nn.linear import FusedLinear
from tfmcore.nn.mask import FULL, Band, Mask, Timeline
from tfmcore.nn.positions import rotate
from tfmcore.nn.probe import Probe

KeysValues = tuple[Tensor, Tensor]
"""Keys and values as attention uses them: (B, K, S, E) each."""


class HeadOptions(TypedDict, total=False):
    """Options of every attention. `num_kv_heads` heads of keys and values serve all heads of queries, in equal groups
    (https://arxiv.org/abs/2305.13245); `scale` is a factor on the scores, 1 ÷ √(head_dim) unless given."""

    num_kv_heads: int | None
    head_dim: int | None
    bias: bool
    dropout: float
    scale: float | None


class _Attention(nn.Module):
    """softmax(q kᵀ · scale + mask) v, and the projection of all heads' results back to the width."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads or num_heads
        self.head_dim = head_dim or d_model // num_heads
        self.dropout, self.scale = dropout, scale or self.head_dim**-0.5
        self.output = nn.Linear(num_heads * self.head_dim, d_model, bias)
        self.probe_q, self.probe_k, self.probe_v = Probe(), Probe(), Probe()
        self.probe_weights, self.probe_output = Probe(), Probe()

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, return_attention: bool
    ) -> tuple[Tensor, Tensor | None]:
        """q (B, H, T, E) on k and v (B, K, S, E) → result (B, T, D) and, if asked for, the weights (B, H, T, S)."""
        q, k, v = self.probe_q(q), self.probe_k(k), self.probe_v(v)
        dropout = self.dropout if self.training else 0.0
        weights: Tensor | None = None
        if return_attention:
            groups = self.num_heads // self.num_kv_heads
            weights = self.probe_weights(self.weigh(q, k.repeat_interleave(groups, 1), mask))
            mixed = F.dropout(weights, dropout) @ v.repeat_interleave(groups, 1)
        else:
            gqa = self.num_kv_heads != self.num_heads
            mixed = F.scaled_dot_product_attention(
                q, k, v, mask.tensor, dropout, is_causal=mask.causal, scale=self.scale, enable_gqa=gqa
            )
        return self.probe_output(self.output(mixed.transpose(1, 2).flatten(2))), weights  # (B, T, H·E) → (B, T, D)

    def weigh(self, q: Tensor, k: Tensor, mask: Mask) -> Tensor:
        """softmax(q kᵀ · scale + mask): (B, H, T, S); a query that may look nowhere has weights of zero."""
        scores = (q * self.scale) @ k.transpose(-2, -1)
        allowed = mask.tensor
        if mask.causal:
            allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if allowed is None:
            return scores.softmax(-1)
        if allowed.is_floating_point():
            scores, allowed = scores + allowed, allowed > float("-inf")
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~allowed, lowest).softmax(-1)
        return weights if mask.causal else weights.masked_fill(~allowed, 0.0)  # causal: everyone sees at least itself


class MultiHeadAttention(_Attention):
    """Queries from one sequence, keys and values from another: the cross-attention of a decoder on a memory."""

    def __init__(self, d_model: int, num_heads: int, **options: Unpack[HeadOptions]) -> None:
        super().__init__(d_model, num_heads, **options)
        bias = options.get("bias", True)
        self.query = nn.Linear(d_model, self.num_heads * self.head_dim, bias)
        self.key_value = FusedLinear(d_model, [self.num_kv_heads * self.head_dim] * 2, bias)

    def project(self, memory: Tensor) -> KeysValues:
        """The keys and values of `memory` (B, S, D), which stay the same while a decoder writes."""
        k, v = self.key_value(memory).unflatten(-1, (2, self.num_kv_heads, self.head_dim)).unbind(2)  # (B, S, K, E)
        return k.transpose(1, 2), v.transpose(1, 2)

    def forward(
        self, x: Tensor, memory: Tensor | KeysValues, mask: Mask | None = None, return_attention: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, T, D) looks at memory (B, S, D), or at its projection → (B, T, D); weights (B, H, T, S) if asked."""
        k, v = self.project(memory) if isinstance(memory, Tensor) else memory
        q = self.query(x).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        return self.attend(q, k, v, mask or Mask(), return_attention)


class MultiHeadSelfAttention(_Attention):
    """A sequence looks at itself, each token at the band (left, right) around it: FULL, CAUSAL or a window."""

    def __init__(self, d_model: int, num_heads: int, *, band: Band = FULL, **options: Unpack[HeadOptions]) -> None:
        super().__init__(d_model, num_heads, **options)
        self.band = band
        H, K, E = self.num_heads, self.num_kv_heads, self.head_dim
        self.query_key_value = FusedLinear(d_model, [H * E, K * E, K * E], options.get("bias", True))

    def forward(
        self,
        x: Tensor,
        mask: Mask | None = None,
        rotation: Tensor | None = None,
        cache: KeyValueCache | None = None,
        return_attention: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, T, D) → (B, T, D), and weights (B, H, T, S) if asked for. Without a `mask` the whole band is seen;
        with a `cache`, x is the newest tokens and S counts those before them too."""
        H, K = self.num_heads, self.num_kv_heads
        qk, v = self.query_key_value(x).unflatten(-1, (-1, self.head_dim)).split((H + K, K), 2)  # (B, T, heads, E)
        if rotation is not None:
            qk = rotate(qk, rotation)
        q, k = qk.split((H, K), 2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, heads, T, E)
        if cache is not None:
            k, v = cache.append(k, v)
        return self.attend(q, k, v, mask or Timeline.of(x).mask(self.band), return_attention)
