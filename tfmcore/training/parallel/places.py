"""Where the values of a weight lie when several processes have a part of it each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tfmcore.config.parallel import piece
from tfmcore.nn.linear import FusedLinear

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Block:
    """A rectangle of a weight: where in `part` of it the rectangle begins, and where it lies in the tensor that this
    process holds."""

    part: int
    offset: tuple[int, ...]
    held: Slices


@dataclass(frozen=True)
class Place:
    """What of a weight this process holds: its whole `shape`, and the rows of its `parts`, which are the projections
    that a FusedLinear keeps together. Every part is `cut` along that dimension, if any, into `count` pieces, as
    torch.chunk cuts, of which this process has the one at `index`."""

    shape: tuple[int, ...]
    parts: tuple[int, ...]
    cut: int | None = None
    index: int = 0
    count: int = 1

    def among(self, dimension: int, index: int, count: int) -> "Place":
        """The same weight, cut."""
        return replace(self, cut=dimension, index=index, count=count)

    def piece(self, size: int) -> range:
        """What of `size` rows or columns this process has, if that is where the weight is cut."""
        return piece(size, self.index, self.count)

    def part_shape(self, part: int) -> tuple[int, ...]:
        return (self.parts[part], *self.shape[1:])

    def blocks(self, rows: range | None = None) -> list[Block]:
        """The blocks that are held here; of only those `rows` of the piece, where that is sharded further."""
        found, row = [], 0
        for part, size in enumerate(self.parts):
            mine = self.piece(size) if self.cut == 0 else range(size)
            here = range(row, row + len(mine))
            kept = here if rows is None else range(max(here.start, rows.start), min(here.stop, rows.stop))
            row += len(mine)
            if not kept:
                continue
            first = mine.start + kept.start - here.start
            columns = self.piece(self.shape[1]).start if self.cut == 1 else 0
            offset = (first, columns, *[0] * len(self.shape))[: len(self.shape)]
            begin = kept.start - (0 if rows is None else rows.start)
            found.append(Block(part, offset, (slice(begin, begin + len(kept)),)))
        return found

    def take(self, whole: Tensor) -> Tensor:
        """What is held here of the whole weight, before it is sharded further."""
        pieces = []
        for block in self.blocks():
            start, size = sum(self.parts[: block.part]) + block.offset[0], block.held[0].stop - block.held[0].start
            piece = whole[start : start + size]
            pieces.append(piece if self.cut != 1 else piece[:, slice(*_ends(self.piece(self.shape[1])))])
        return torch.cat(pieces) if pieces else whole[:0]

    def put(self, whole: Tensor, block: Block, values: Tensor) -> None:
        """Write a block's values where they belong in the whole weight."""
        starts = (sum(self.parts[: block.part]) + block.offset[0], *block.offset[1:])
        whole[tuple(slice(s, s + n) for s, n in zip(starts, values.shape, strict=True))] = values


def _ends(numbers: range) -> tuple[int, int]:
    return numbers.start, numbers.stop


def places_of(model: nn.Module) -> dict[str, Place]:
    """The place of every weight of a model that is whole."""
    parts: dict[str, Sequence[int]] = {}
    for name, module in model.named_modules():
        if isinstance(module, FusedLinear):
            parts[f"{name}.weight"] = module.sizes
            parts[f"{name}.bias"] = [size for size, has in zip(module.sizes, module.biased, strict=True) if has]
    return {
        name: Place(tuple(weight.shape), tuple(parts.get(name, (len(weight),))))
        for name, weight in model.named_parameters()
    }


def weight_of(key: str, names: Iterable[str]) -> str:
    """The weight that a tensor of the training's state belongs to, by its key; "" where it belongs to none."""
    for name in (key.removeprefix("weight."), key.removeprefix("average."), key.rpartition(".")[0]):
        if name in names:
            return name
    return ""
