"""Keys and values that decoding keeps, so that each new token costs one token's work."""

import torch
from torch import Tensor

from tfmcore.config.problems import UserError
from tfmcore.nn.mask import Timeline, count_positions

ROOM = 256
"""For so many tokens there is room at first, where shapes are to stay the same."""


class KeyValueCache:
    """The keys and values of one attention: two tensors (B, K, S, E), of which the first `length` tokens are filled. If
    there is a `place` (1,), the next token goes there, and there is `room` for so many."""

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.values, self.length = keys, torch.empty_like(keys), 0
        self.place: Tensor | None = None
        self.room = keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store new ones, (B, K, T, E); the result is all that are stored, or all that there is room for."""
        if self.place is not None:
            self.keys.index_copy_(2, self.place, keys)
            self.values.index_copy_(2, self.place, values)
            return self.keys[:, :, : self.room], self.values[:, :, : self.room]
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start : self.length], self.values[:, :, start : self.length] = keys, values
        return self.stored()

    def stored(self) -> tuple[Tensor, Tensor]:
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def fix(self, place: Tensor, length: int, room: int) -> None:
        """From now on a single token comes at a time, and its place is known to the device alone."""
        self.place, self.room = place, room
        self.keys[:, :, length:room], self.values[:, :, length:room] = 0, 0  # what nobody sees is a number too

    def loosen(self, length: int) -> None:
        self.place, self.length = None, length

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
        self.room = max_length
        self.positions = torch.arange(max_length, device=device)[None]
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self.length = 0

    def advance(self, x: Tensor, attention_mask: Tensor | None) -> Timeline:
        """Make room for the new tokens `x` (B, T) and say where they stand; raises UserError when they do not fit."""
        if self.place is not None:
            keys = self.positions[:, : self.room]
            until = self.place if self.place.is_cpu else None  # another device would have to be waited for
            return Timeline(self.place[None], keys, keys <= self.place, as_bias=True, until=until)
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
        """Have sequences without padding go on token by token, with tensors of the same shapes, in the same memory:
        the place (1,) of the next token, which whoever reads it sets, as well as the `length`, until this reaches the
        `room`, which beyond ROOM is at most twice what is needed, for all of it is looked at."""
        if self.place is None or self.length >= self.room:
            self.place, self.room = self._place.fill_(self.length), ROOM
            while self.room <= self.length:
                self.room *= 2
            self.room = min(self.room, self.positions.shape[1])
            for layer in self.layers:
                layer.fix(self.place, self.length, self.room)
        return self.place

    def loosen(self) -> None:
        """Have tokens come in any number again."""
        self.place, self.room = None, self.positions.shape[1]
        for layer in self.layers:
            layer.loosen(self.length)

    def clear(self) -> None:
        """Forget all tokens; what an encoder read is still there."""
        self.length, self.padded = 0, False
        self.real.fill_(True)
        self.loosen()

    def reorder(self, indices: Tensor) -> None:
        """Keep the sequences of `indices` (any number, repeats allowed), as beam search does."""
        for layer in self.layers:
            layer.reorder(indices)
        self.memories = [(k.index_select(0, indices), v.index_select(0, indices)) for k, v in self.memories]
        self.real = self.real.index_select(0, indices)
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask.index_select(0, indices)
