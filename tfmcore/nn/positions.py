"""How order enters: vectors added to the tokens, or a plug-in that turns queries and keys or biases the scores."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tfmcore.config.problems import UserError
from tfmcore.nn.dropout import Dropout
from tfmcore.nn.frequencies import Stretch, inverse_frequencies


class PositionalEncoding(nn.Module):
    """Sines and cosines of geometric wavelengths (https://arxiv.org/abs/1706.03762, section 3.5): interleaved, or all
    sines before all cosines."""

    def __init__(self, d_model: int, layout: Literal["interleaved", "halves"] = "interleaved") -> None:
        super().__init__()
        self.d_model, self.layout = d_model, layout

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (…, T) → vectors (…, T, D) to add to the tokens."""
        frequencies = inverse_frequencies(self.d_model, 10_000.0, positions.device)
        angles = positions[..., None] * frequencies
        if self.layout == "halves":
            return torch.cat((angles.sin(), angles.cos()), -1)[..., : self.d_model]
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


class Relative(NamedTuple):
    """Vectors (P, D) of distances, and which of them (B or 1, T, S) lies between each query and key."""

    vectors: Tensor
    between: Tensor


class Positions(nn.Module):
    """The plug-in of self-attention, shared by the layers of a stack; this one does nothing, others override."""

    def rotation(self, positions: Tensor) -> Tensor | None:
        """What `rotate` turns queries and keys at `positions` (B or 1, T) by, if anything."""
        return None

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor | None:
        """What is added to the scores of positions (B or 1, T) against (B or 1, S): (B or 1, H, T, S), if anything."""
        return None

    def relative(self, queries: Tensor, keys: Tensor) -> Relative | None:
        """What each layer makes its own bias of, from its queries and keys, if anything."""
        return None


class Rotary(Positions):
    """Turns each pair of neighbouring features, of the first `width` of a head, by position · theta^(-2i/width)
    (https://arxiv.org/abs/2104.09864)."""

    def __init__(self, width: int, theta: float = 10_000.0, stretch: Stretch | None = None) -> None:
        super().__init__()
        self.width, self.theta, self.stretch = width, theta, stretch

    def rotation(self, positions: Tensor) -> Tensor:
        """Complex numbers, of length 1 unless the stretch says otherwise: (B or 1, T, 1, width/2)."""
        if self.stretch is None:
            frequencies, length = inverse_frequencies(self.width, self.theta, positions.device), 1.0
        else:
            frequencies = self.stretch.frequencies(self.width, self.theta, positions)
            length = self.stretch.magnitude
        angles = (positions[..., None] * frequencies)[:, :, None]
        return torch.polar(torch.full_like(angles, length), angles)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Multiply neighbouring features of `x` (B, T, H, E), read as complex numbers, by `rotation`; features beyond
    those that it has numbers for stay as they are."""
    width = 2 * rotation.shape[-1]
    pairs = torch.view_as_complex(x[..., :width].float().reshape(*x.shape[:-1], -1, 2))
    turned = torch.view_as_real(pairs * rotation).flatten(-2).to(x.dtype)
    return turned if width == x.shape[-1] else torch.cat((turned, x[..., width:]), -1)


class ALiBi(Positions):
    """Scores fall with the distance, in each head by a slope of its own (https://arxiv.org/abs/2108.12409)."""

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        distance = (keys[:, None, :] - queries[:, :, None]).abs()[:, None]
        return distance * -self.slopes(keys.device)[:, None, None]

    def slopes(self, device: torch.device) -> Tensor:
        """2^(-8i/n) for i = 1 … n, n the power of two at or below the number of heads; the other heads take every
        second slope of 2n heads: (H,). Made on the device, which nothing waits for."""
        n = 2 ** int(math.log2(self.num_heads))
        widest = torch.float32 if device.type == "mps" else torch.float64
        i = torch.arange(1, 2 * n, device=device, dtype=widest)
        return torch.cat((-8 * i[:n] / n, -4 * i[::2] / n)).exp2()[: self.num_heads].float()


class RelativeBuckets(Positions):
    """A learned bias for each head and bucket of distances: exact when near, logarithmic when far
    (T5, https://arxiv.org/abs/1910.10683, section 2.1). `one_sided` for decoders, which never look ahead."""

    def __init__(self, num_heads: int, num_buckets: int = 32, max_distance: int = 128, one_sided: bool = False) -> None:
        super().__init__()
        self.num_buckets, self.max_distance, self.one_sided = num_buckets, max_distance, one_sided
        self.embedding = nn.Embedding(num_buckets, num_heads)

    def bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        by_distance = F.embedding(self.bucket(distances(keys)), self.embedding.weight)  # (2S - 1, H)
        return F.embedding(which_distance(queries, keys).int(), by_distance).permute(0, 3, 1, 2)  # → (B or 1, H, T, S)

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


class Disentangled(Positions):
    """A learned vector for each distance (query - key) up to `span` to either side, which every layer projects for
    itself (DeBERTa, https://arxiv.org/abs/2006.03654); with `farthest`, distances beyond half of the span share
    logarithmic buckets up to that one (https://arxiv.org/abs/2111.09543)."""

    def __init__(
        self,
        d_model: int,
        span: int,
        farthest: int | None = None,
        norm: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.span, self.farthest = span, farthest
        self.embedding = nn.Embedding(2 * span, d_model)
        self.norm = norm or nn.Identity()
        self.dropout = Dropout(dropout)

    def relative(self, queries: Tensor, keys: Tensor) -> Relative:
        buckets = (self.bucket(-distances(keys)) + self.span).clamp(0, 2 * self.span - 1)
        which = which_distance(queries, keys)
        # where there are fewer buckets than distances; what is exported reads any length
        if torch.compiler.is_exporting() or len(buckets) > 2 * self.span:
            return Relative(self.dropout(self.norm(self.embedding.weight)), buckets[which])
        return Relative(self.dropout(self.norm(self.embedding(buckets))), which)

    def bucket(self, distance: Tensor) -> Tensor:
        """Distance (query - key) → bucket, which is 0 for 0; in the order of the reference's float32 operations."""
        if self.farthest is None:
            return distance
        middle = self.span // 2
        away = distance.abs().clamp(min=middle - 1)
        share = torch.log(away / middle) / torch.log(torch.full((), (self.farthest - 1) / middle, device=away.device))
        far = (torch.ceil(share * (middle - 1)) + middle).long()
        return torch.where(away <= middle, distance, far * distance.sign())


def distances(keys: Tensor) -> Tensor:
    """Every distance (key - query) that there can be among S keys: -(S - 1) … S - 1."""
    return torch.arange(1 - keys.shape[-1], keys.shape[-1], device=keys.device)


def which_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """The place in `distances` of each pair of positions: (B or 1, T) and (B or 1, S) → (B or 1, T, S)."""
    return keys[:, None, :] - queries[:, :, None] + (keys.shape[-1] - 1)
