"""Keys and values that decoding keeps, so that each new token costs one token's work."""

import torch
from torch import Tensor

from tfmcore.config.problems import UserError
from tfmcore.nn.mask import Timeline, count_positions


class KeyValueCache:
    """The keys and values of one attention: two tensors (B, K, S, E), of which the first `length` tokens are filled."""

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.values, self.length = keys, torch.empty_like(keys), 0

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store new ones, (B, K, T, E); the result is all that are stored."""
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start : self.length], self.values[:, :, start : self.length] = keys, values
        return self.stored()

    def stored(self) -> tuple[Tensor, Tensor]:
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def reorder(self, indices: Tensor) -> None:
        self.keys, self.values = self.keys.index_select(0, indices), self.values.index_select(0, indices)


class Cache:
    """What a decoder keeps between calls: a KeyValueCache for the self-attention of each layer and, beside an encoder,
    the projected memory for each cross-attention. Sequences may be padded at either end, and in between calls."""

    def __init__(self, layers: list[KeyValueCache], batch_size: int, max_length: int, device: torch.device) -> None:
        self.layers = layers
        self.memories: list[tuple[Tensor, Tensor]] = []
        self.memory_mask: Tensor | None = None
        self.real = torch.ones(batch_size, max_length, dtype=torch.bool, device=device)
        self.padded = False
        self.positions = torch.arange(max_length, device=device)[None]
        self.length = 0

    def advance(self, x: Tensor, attention_mask: Tensor | None) -> Timeline:
        """Make room for the new tokens `x` (B, T) and say where they stand; raises UserError when they do not fit."""
        start, self.length = self.length, self.length + x.shape[1]
        if self.length > self.real.shape[1]:
            raise UserError(f"{self.length} tokens do not fit: this cache holds {self.real.shape[1]}")
        if attention_mask is not None:
            self.real[:, start : self.length] = attention_mask.bool()
            self.padded = True
        if not self.padded:
            return Timeline(self.positions[:, start : self.length], self.positions[:, : self.length])
        seen = self.real[:, : self.length]
        positions = count_positions(seen)
        return Timeline(positions[:, start:], positions, seen)

    def reorder(self, indices: Tensor) -> None:
        """Keep the sequences of `indices` (any number, repeats allowed), as beam search does."""
        for layer in self.layers:
            layer.reorder(indices)
        self.memories = [(k.index_select(0, indices), v.index_select(0, indices)) for k, v in self.memories]
        self.real = self.real.index_select(0, indices)
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask.index_select(0, indices)
