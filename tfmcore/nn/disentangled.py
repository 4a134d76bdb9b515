"""Disentangled attention's other scores: queries against distances, and keys against distances (DeBERTa)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tfmcore.nn.linear import FusedLinear, Linear
from tfmcore.nn.positions import Relative


class DistanceScores(nn.Module):
    """q · pk[δ] + k · pq[δ], where δ is the distance between query and key, and pk and pq are projections of its
    vector: this module's own, or those of the attention's queries and keys
    (https://arxiv.org/abs/2006.03654, equation 4)."""

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        terms: Sequence[str],
        share_projections: bool,
        biases: Sequence[bool],
    ) -> None:
        super().__init__()
        self.head_dim, self.groups = head_dim, num_heads // num_kv_heads
        self.content_to_position = "content_to_position" in terms
        self.position_to_content = "position_to_content" in terms
        own_key, own_query = self.content_to_position, self.position_to_content
        if share_projections:
            own_key = own_query = False
        self.key = Linear(d_model, num_kv_heads * head_dim, biases[1]) if own_key else None
        self.query = Linear(d_model, num_heads * head_dim, biases[0]) if own_query else None

    def forward(self, q: Tensor, k: Tensor, relative: Relative, projection: FusedLinear) -> Tensor:
        """q (B, H, T, E) and k (B, K, S, E) → scores (B, H, T, S), still to be scaled; `projection` is of queries,
        keys and values."""
        (B, H, T, _), S = q.shape, k.shape[2]
        vectors, index = relative.vectors, relative.between[:, None]  # (P, D), (B or 1, 1, T, S)
        scores = q.new_zeros(())
        if self.content_to_position:
            keys = projection.part(vectors, 1) if self.key is None else self.key(vectors)
            found = meet(q, self._heads(keys).repeat_interleave(self.groups, 0))  # (B, H, T, P)
            scores = scores + found.gather(-1, index.expand(B, H, T, S))
        if self.position_to_content:
            queries = projection.part(vectors, 0) if self.query is None else self.query(vectors)
            found = meet(k.repeat_interleave(self.groups, 1), self._heads(queries))  # (B, H, S, P)
            scores = scores + found.gather(-1, index.transpose(-2, -1).expand(B, H, S, T)).transpose(-2, -1)
        return scores

    def _heads(self, projected: Tensor) -> Tensor:
        """(P, heads · E) → (heads, P, E)"""
        return torch.unflatten(projected, -1, (-1, self.head_dim)).transpose(0, 1)


def meet(x: Tensor, vectors: Tensor) -> Tensor:
    """Products of x (B, H, T, E) with vectors (H, P, E): (B, H, T, P), without a copy of the vectors for each text."""
    products = x.transpose(0, 1).flatten(1, 2) @ vectors.transpose(-2, -1)  # (H, B·T, P)
    return torch.unflatten(products, 1, (x.shape[0], x.shape[2])).transpose(0, 1)
