"""Multi-head attention (https://arxiv.org/abs/1706.03762, section 3.2), with grouped-query heads and a cache."""

from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from tfmcore.nn.cache import KeyValueCache
from tfmcore.nn.disentangled import DistanceScores
from tfmcore.nn.dropout import dropout
from tfmcore.nn.kernels.attention import scaled_dot_product
from tfmcore.nn.linear import FusedLinear, Linear
from tfmcore.nn.mask import FULL, Band, Mask, Timeline, fill
from tfmcore.nn.positions import rotate
from tfmcore.nn.probe import Probe

KeysValues = tuple[Tensor, Tensor]
"""Keys and values as attention uses them: (B, K, S, E) each."""


class HeadOptions(TypedDict, total=False):
    """Options of every attention. `num_kv_heads` heads of keys and values serve all heads of queries, in equal groups
    (https://arxiv.org/abs/2305.13245); `scale` is a factor on the scores, 1 ÷ √(head_dim) unless given, and `softcap`
    keeps them within ± that (https://arxiv.org/abs/2408.00118); `head_norm` makes a norm of a head's queries or keys
    (https://arxiv.org/abs/2010.04245). The output has a bias as the others do unless `output_bias` says otherwise."""

    num_kv_heads: int | None
    head_dim: int | None
    bias: bool
    output_bias: bool | None
    key_bias: bool
    dropout: float
    scale: float | None
    softcap: float | None
    head_norm: Callable[[], nn.Module] | None


class _Attention(nn.Module):
    """softmax(q kᵀ · scale + mask) v, and the projection of all heads' results back to the width."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        output_bias: bool | None = None,
        key_bias: bool = True,
        dropout: float = 0.0,
        scale: float | None = None,
        softcap: float | None = None,
        head_norm: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads or num_heads
        self.head_dim = head_dim or d_model // num_heads
        self.dropout, self.scale, self.softcap = dropout, scale or self.head_dim**-0.5, softcap
        self.biases = (bias, bias and key_bias, bias)  # of queries, keys and values
        self.output = Linear(num_heads * self.head_dim, d_model, bias if output_bias is None else output_bias)
        self.query_norm = None if head_norm is None else head_norm()
        self.key_norm = None if head_norm is None else head_norm()
        self.probe_q, self.probe_k, self.probe_v = Probe(), Probe(), Probe()
        self.probe_weights, self.probe_output = Probe(), Probe()

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, return_attention: bool
    ) -> tuple[Tensor, Tensor | None]:
        """q (B, H, T, E) on k and v (B, K, S, E) → result (B, T, D) and, if asked for, the weights (B, H, T, S)."""
        q, k, v = self.probe_q(q), self.probe_k(k), self.probe_v(v)
        rate = self.dropout if self.training else 0.0
        weights: Tensor | None = None
        if return_attention or self.softcap is not None:  # which no kernel knows
            groups = self.num_heads // self.num_kv_heads
            weights = self.probe_weights(self.weigh(q, k.repeat_interleave(groups, 1), mask))
            mixed = dropout(weights, rate) @ v.repeat_interleave(groups, 1)
        else:
            mixed = scaled_dot_product(q, k, v, mask, rate, self.scale)
        result = self.probe_output(self.output(mixed.transpose(1, 2).flatten(2)))  # (B, T, H·E) → (B, T, D)
        return result, weights if return_attention else None

    def weigh(self, q: Tensor, k: Tensor, mask: Mask) -> Tensor:
        """softmax(q kᵀ · scale + mask): (B, H, T, S); a query that may look nowhere has weights of zero."""
        scores = (q * self.scale) @ k.transpose(-2, -1)
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        if mask.tensor is not None and mask.tensor.is_floating_point():
            scores = scores + mask.tensor
        if (allowed := mask.allowed(scores)) is None:
            return _softmax(scores)
        weights = _softmax(fill(scores, ~allowed, torch.finfo(scores.dtype).min))
        return weights if mask.causal else fill(weights, ~allowed, 0.0)  # causal: everyone sees at least itself


class MultiHeadAttention(_Attention):
    """Queries from one sequence, keys and values from another: the cross-attention of a decoder on a memory."""

    def __init__(self, d_model: int, num_heads: int, **options: Unpack[HeadOptions]) -> None:
        super().__init__(d_model, num_heads, **options)
        self.query = Linear(d_model, self.num_heads * self.head_dim, self.biases[0])
        self.key_value = FusedLinear(d_model, [self.num_kv_heads * self.head_dim] * 2, self.biases[1:])

    def project(self, memory: Tensor) -> KeysValues:
        """The keys and values of `memory` (B, S, D), which stay the same while a decoder writes."""
        k, v = self.key_value(memory).unflatten(-1, (2, self.num_kv_heads, self.head_dim)).unbind(2)  # (B, S, K, E)
        if self.key_norm is not None:
            k = self.key_norm(k)
        return k.transpose(1, 2), v.transpose(1, 2)

    def forward(
        self, x: Tensor, memory: Tensor | KeysValues, mask: Mask | None = None, return_attention: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, T, D) looks at memory (B, S, D), or at its projection → (B, T, D); weights (B, H, T, S) if asked."""
        k, v = self.project(memory) if isinstance(memory, Tensor) else memory
        q = self.query(x).unflatten(-1, (self.num_heads, self.head_dim))  # (B, T, H, E)
        if self.query_norm is not None:
            q = self.query_norm(q)
        return self.attend(q.transpose(1, 2), k, v, mask or Mask(), return_attention)


class MultiHeadSelfAttention(_Attention):
    """A sequence looks at itself, each token at the band (left, right) around it: FULL, CAUSAL or a window. With
    `position_terms`, queries and keys also meet learned distances, which divides their scale by √(1 + terms)
    (https://arxiv.org/abs/2006.03654, section 3.1); distances have projections of their own unless they share them."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        band: Band = FULL,
        position_terms: Sequence[str] = (),
        share_position_projections: bool = False,
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(d_model, num_heads, **options)
        self.band = band
        H, K, E = self.num_heads, self.num_kv_heads, self.head_dim
        self.query_key_value = FusedLinear(d_model, [H * E, K * E, K * E], self.biases)
        self.distances = None
        if position_terms:
            self.distances = DistanceScores(d_model, H, K, E, position_terms, share_position_projections, self.biases)
            self.scale = options.get("scale") or (E * (1 + len(position_terms))) ** -0.5

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
        heads = self.query_key_value(x).unflatten(-1, (-1, self.head_dim))  # (B, T, heads, E)
        if rotation is None:
            q, k, v = torch.split(heads, [H, K, K], 2)
            if self.query_norm is not None and self.key_norm is not None:
                q, k = self.query_norm(q), self.key_norm(k)
        else:  # queries and keys turn together
            qk, v = torch.split(heads, [H + K, K], 2)
            if self.query_norm is not None and self.key_norm is not None:
                qk = torch.cat((self.query_norm(qk[:, :, :H]), self.key_norm(qk[:, :, H:])), 2)
            q, k = torch.split(rotate(qk, rotation), [H, K], 2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, heads, T, E)
        if cache is not None:
            k, v = cache.append(k, v)
        mask = mask or Timeline.of(x).mask(self.band)
        if self.distances is not None and mask.relative is not None:
            mask = mask.biased(self.distances(q, k, mask.relative, self.query_key_value) * self.scale)
        return self.attend(q, k, v, mask, return_attention)


def _softmax(scores: Tensor) -> Tensor:
    """Over the last dimension; where no gradient needs the scores, they become their softmax in place."""
    if scores.requires_grad or scores.dtype not in (torch.float32, torch.float64):
        return scores.softmax(-1)
    scores.sub_(scores.amax(-1, keepdim=True)).exp_()
    return scores.div_(scores.sum(-1, keepdim=True))
