"""The state of a training in shards, by torch.distributed.checkpoint: written by any number of processes, read by any
other number. The files are safetensors, so that no pickle is ever opened."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, MetadataIndex, TensorProperties
from torch.distributed.checkpoint.planner import TensorWriteData, WriteItem, WriteItemType
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from tfmcore.training.parallel.places import Block, Place, weight_of

FOLDER = "optimizer"
"""Where in a checkpoint the shards lie."""
PART = "#"
"""Stands before the number of a part, in the key of a weight that has several."""


class Share(Tensor):
    """A rectangle of a tensor, as torch.distributed.checkpoint asks about it: `whole` is the tensor's shape, `offset`
    where in it this one begins."""

    whole: torch.Size
    offset: torch.Size

    @classmethod
    def of(cls, values: Tensor, whole: tuple[int, ...], offset: tuple[int, ...]) -> "Share":
        share = values.detach().as_subclass(cls)
        share.whole, share.offset = torch.Size(whole), torch.Size(offset)
        return share

    def size(self, dim: int | None = None) -> Any:
        """Of the whole, as a DTensor has it; `shape` is this one's."""
        return self.whole if dim is None else self.whole[dim]

    def __create_write_items__(self, name: str, _: Any) -> list[WriteItem]:
        properties = TensorProperties(dtype=self.dtype)
        data = TensorWriteData(self.__create_chunk_list__()[0], properties, self.whole)
        return [WriteItem(MetadataIndex(name, self.offset), WriteItemType.SHARD, tensor_data=data)]

    def __create_chunk_list__(self) -> list[ChunkStorageMetadata]:
        return [ChunkStorageMetadata(self.offset, torch.Size(self.shape))]

    def __get_tensor_shard__(self, _: MetadataIndex) -> Tensor:
        return self.as_subclass(Tensor)


def shares_of(key: str, values: Tensor, place: Place, rows: range | None) -> dict[str, Share]:
    """What this process holds of a tensor that lies as `place` says, by the keys of its parts."""
    return {
        _key(key, place, block): Share.of(values[block.held], place.part_shape(block.part), block.offset)
        for block in place.blocks(rows)
    }


def save_shards(shares: Mapping[str, Tensor], folder: Path, group: dist.ProcessGroup) -> None:
    """Write what all processes hold. Raises, in all of them, the OSError that one of them met."""
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        save(dict(shares), storage_writer=writer, process_group=group)
    except CheckpointException as failure:
        raise _cause(failure) from failure


def load_shards(folder: Path, places: Mapping[str, Place], rows: Callable[[str], range | None]) -> dict[str, Tensor]:
    """What was written of the weights in `places`, as much as this process holds, and what belongs to no weight. Raises
    OSError for files that cannot be read."""
    reader = HuggingFaceStorageReader(str(folder))
    wanted: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for stored, facts in reader.read_metadata().state_dict_metadata.items():
        key = stored.partition(PART)[0]
        name, dtype = weight_of(key, places), facts.properties.dtype  # type: ignore[union-attr]
        if key in found or (not name and not key.startswith("random.")):  # the weight of another stage
            continue
        if not name or not facts.size:  # type: ignore[union-attr]
            found[key] = wanted[stored] = torch.empty(facts.size, dtype=dtype)  # type: ignore[union-attr]
            continue
        place = places[name]
        found[key] = torch.empty(held_shape(place, rows(name)), dtype=dtype)
        wanted |= shares_of(key, found[key], place, rows(name))
    try:
        with warnings.catch_warnings(action="ignore"):  # each process reads for itself, which torch would warn of
            load(wanted, storage_reader=reader, no_dist=True)
    except CheckpointException as failure:
        raise _cause(failure) from failure
    return found


def held_shape(place: Place, rows: range | None) -> tuple[int, ...]:
    """The shape of what this process holds of a weight."""
    num_rows = sum(block.held[0].stop - block.held[0].start for block in place.blocks(rows))
    rest = place.shape[1:]
    return (num_rows, *((len(place.piece(rest[0])), *rest[1:]) if place.cut == 1 else rest))


def _key(key: str, place: Place, block: Block) -> str:
    return key if len(place.parts) == 1 else f"{key}{PART}{block.part}"


def _cause(failure: CheckpointException) -> Exception:
    """What happened in the process that failed first."""
    errors = [error for error, _ in failure.failures.values()]
    return next((error for error in errors if isinstance(error, OSError)), OSError(0, str(errors[0])))
