"""Which part of a weight is here when tensor parallel ranks have a shard of it each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tfmcore.config.parallel import chunk_range
from tfmcore.nn.linear import FusedLinear


@dataclass(frozen=True)
class Chunk:
    """A rectangle of a weight: its `offset` in one `part` of the weight, and its rows in the `local` tensor."""

    part: int
    offset: tuple[int, ...]
    local: slice


@dataclass(frozen=True)
class ShardSpec:
    """What of a weight a rank has: the weight's whole `shape`, and the rows of its `parts`, which are the projections
    that a FusedLinear keeps together. Every part is sharded along `dim`, if any, as torch.chunk cuts; this is shard
    `rank` of `num_shards`."""

    shape: tuple[int, ...]
    parts: tuple[int, ...]
    dim: int | None = None
    rank: int = 0
    num_shards: int = 1

    def sharded(self, dim: int, rank: int, num_shards: int) -> "ShardSpec":
        return replace(self, dim=dim, rank=rank, num_shards=num_shards)

    def local_range(self, size: int) -> range:
        """Which of `size` rows or columns are here, if that is the dimension that is sharded."""
        return chunk_range(size, self.rank, self.num_shards)

    def part_shape(self, part: int) -> tuple[int, ...]:
        return (self.parts[part], *self.shape[1:])

    def chunks(self, rows: range | None = None) -> list[Chunk]:
        """The chunks that are here; of only those `rows` of the shard, where FSDP shards it further."""
        found, row = [], 0
        for part, size in enumerate(self.parts):
            mine = self.local_range(size) if self.dim == 0 else range(size)
            here = range(row, row + len(mine))
            kept = here if rows is None else range(max(here.start, rows.start), min(here.stop, rows.stop))
            row += len(mine)
            if not kept:
                continue
            first = mine.start + kept.start - here.start
            columns = self.local_range(self.shape[1]).start if self.dim == 1 else 0
            offset = (first, columns, *[0] * len(self.shape))[: len(self.shape)]
            begin = kept.start - (0 if rows is None else rows.start)
            found.append(Chunk(part, offset, slice(begin, begin + len(kept))))
        return found

    def local_shape(self, rows: range | None = None) -> tuple[int, ...]:
        """The shape of what is here."""
        num_rows = sum(chunk.local.stop - chunk.local.start for chunk in self.chunks(rows))
        rest = self.shape[1:]
        return (num_rows, *((len(self.local_range(rest[0])), *rest[1:]) if self.dim == 1 else rest))

    def shard(self, whole: Tensor) -> Tensor:
        """What is here of the whole weight, before FSDP shards it further."""
        shards = []
        for chunk in self.chunks():
            start = sum(self.parts[: chunk.part]) + chunk.offset[0]
            rows = whole[start : start + chunk.local.stop - chunk.local.start]
            columns = self.local_range(self.shape[1]) if self.dim == 1 else None
            shards.append(rows if columns is None else rows[:, columns.start : columns.stop])
        return torch.cat(shards) if shards else whole[:0]

    def write(self, whole: Tensor, chunk: Chunk, values: Tensor) -> None:
        """Write a chunk's values where they belong in the whole weight."""
        starts = (sum(self.parts[: chunk.part]) + chunk.offset[0], *chunk.offset[1:])
        whole[tuple(slice(s, s + n) for s, n in zip(starts, values.shape, strict=True))] = values


def shard_specs(model: nn.Module) -> dict[str, ShardSpec]:
    """The spec of every weight of a model that is whole."""
    parts: dict[str, Sequence[int]] = {}
    for name, module in model.named_modules():
        if isinstance(module, FusedLinear):
            parts[f"{name}.weight"] = module.sizes
            parts[f"{name}.bias"] = [size for size, has in zip(module.sizes, module.biased, strict=True) if has]
    return {
        name: ShardSpec(tuple(weight.shape), tuple(parts.get(name, (len(weight),))))
        for name, weight in model.named_parameters()
    }


def weight_of(key: str, names: Iterable[str]) -> str:
    """The weight that a tensor of the training's state belongs to, by its key; "" where it belongs to none."""
    for name in (key.removeprefix("weight."), key.removeprefix("average."), key.rpartition(".")[0]):
        if name in names:
            return name
    return ""
