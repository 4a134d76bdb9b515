"""How order enters: vectors added to the tokens, or a plug-in that turns queries and keys or biases the scores."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.config.problems import UserError


class PositionalEncoding(nn.Module):
    """Sines and cosines of geometric wavelengths, interleaved (https://arxiv.org/abs/1706.03762, section 3.5)."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_model = d_model

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (…, T) → vectors (…, T, D) to add to the tokens."""
        frequencies = inverse_frequencies(self.d_model, 10_000.0, positions.device)
        angles = positions[..., None] * frequencies
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)[..., : self.d_model]


class LearnedPositions(nn.Embedding):
    """A learned vector for each position (https://arxiv.org/abs/1705.03122)."""

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (…, T) → vectors (…, T, D); raises UserError for more tokens than there are positions."""
        self.check(positions.shape[-1])
        return super().forward(positions)

    def check(self, length: int) -> None:
        if length > self.num_embeddings:
            raise UserError(f"{length} tokens are too many: this model has positions for {self.num_embeddings}")


class Positions(nn.Module):
    """The plug-in of self-attention, shared by the layers of a stack; this one does nothing, others override."""

    def rotation(self, positions: Tensor) -> Tensor | None:
        """What `rotate` turns queries and keys at `positions` (B or 1, T) by, if anything."""
        return None

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor | None:
        """What is added to the scores of positions (B or 1, T) against (B or 1, S): (B or 1, H, T, S), if anything."""
        return None


class Rotary(Positions):
    """Turns each pair of neighbouring features by position · theta^(-2i/E) (https://arxiv.org/abs/2104.09864)."""

    def __init__(self, head_dim: int, theta: float = 10_000.0) -> None:
        super().__init__()
        self.head_dim, self.theta = head_dim, theta

    def rotation(self, positions: Tensor) -> Tensor:
        """Complex numbers of length 1: (B or 1, T, 1, E/2)."""
        angles = positions[..., None] * inverse_frequencies(self.head_dim, self.theta, positions.device)
        return torch.polar(torch.ones_like(angles), angles)[:, :, None]


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Multiply neighbouring features of `x` (B, T, H, E), read as complex numbers, by `rotation`."""
    pairs = torch.view_as_complex(x.float().view(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * rotation).flatten(-2).to(x.dtype)


class RelativeBuckets(Positions):
    """A learned bias for each head and bucket of distances: exact when near, logarithmic when far
    (T5, https://arxiv.org/abs/1910.10683, section 2.1). `one_sided` for decoders, which never look ahead."""

    def __init__(self, num_heads: int, num_buckets: int = 32, max_distance: int = 128, one_sided: bool = False) -> None:
        super().__init__()
        self.num_buckets, self.max_distance, self.one_sided = num_buckets, max_distance, one_sided
        self.embedding = nn.Embedding(num_buckets, num_heads)

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        buckets = self.bucket(keys[:, None, :] - queries[:, :, None])
        return F.embedding(buckets, self.embedding.weight).permute(0, 3, 1, 2)  # (B or 1, T, S, H) → (…, H, T, S)

    def bucket(self, distance: Tensor) -> Tensor:
        """Distance (key - query) → bucket."""
        if self.one_sided:
            buckets, first, away = self.num_buckets, torch.zeros_like(distance), (-distance).clamp(min=0)
        else:
            buckets, away = self.num_buckets // 2, distance.abs()
            first = (distance > 0) * buckets
        exact = buckets // 2
        share = torch.log(away.clamp(min=1).float() / exact) / math.log(self.max_distance / exact)
        far = (exact + (share * (buckets - exact)).long()).clamp(max=buckets - 1)
        return first + torch.where(away < exact, away, far)


def inverse_frequencies(width: int, theta: float, device: torch.device) -> Tensor:
    """theta^(-2i/width) for i = 0 … ⌈width/2⌉ - 1."""
    return theta ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
