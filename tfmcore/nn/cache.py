"""Keys and values that decoding keeps, so that each new token costs one token's work."""

import torch
from torch import Tensor

from tfmcore.config.problems import UserError
from tfmcore.nn.mask import Timeline, count_positions


class KeyValueCache:
    """The keys and values of one attention: two tensors (B, K, S, E), of which the first `length` tokens are filled. If
    there is a `place` (1,), the next token goes there."""

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.values, self.length = keys, torch.empty_like(keys), 0
        self.place: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store new ones, (B, K, T, E); the result is all that are stored, or all that there is room for."""
        if self.place is not None:
            return self.keys.index_copy_(2, self.place, keys), self.values.index_copy_(2, self.place, values)
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start : self.length], self.values[:, :, start : self.length] = keys, values
        return self.stored()

    def stored(self) -> tuple[Tensor, Tensor]:
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def fix(self, place: Tensor) -> None:
        """From now on a single token comes at a time, and its place is known to the device alone."""
        self.place = place
        self.keys[:, :, self.length :], self.values[:, :, self.length :] = 0, 0  # what nobody sees is a number too

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
        self.place: Tensor | None = None
        self.positions = torch.arange(max_length, device=device)[None]
        self.length = 0

    def advance(self, x: Tensor, attention_mask: Tensor | None) -> Timeline:
        """Make room for the new tokens `x` (B, T) and say where they stand; raises UserError when they do not fit."""
        if self.place is not None:
            return Timeline(self.place[None], self.positions, self.positions <= self.place)
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

    def fix(self) -> Tensor:
        """Have a sequence without padding go on token by token, with tensors of the same shapes, in the same memory:
        the place (1,) of the next token, which whoever reads it sets, as well as the `length`."""
        self.place = torch.full((1,), self.length, device=self.positions.device)
        for layer in self.layers:
            layer.fix(self.place)
        return self.place

    def reorder(self, indices: Tensor) -> None:
        """Keep the sequences of `indices` (any number, repeats allowed), as beam search does."""
        for layer in self.layers:
            layer.reorder(indices)
        self.memories = [(k.index_select(0, indices), v.index_select(0, indices)) for k, v in self.memories]
        self.real = self.real.index_select(0, indices)
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask.index_select(0, indices)
