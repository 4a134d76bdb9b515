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

from tfmcore.training.parallel.shard_spec import ShardSpec, weight_of

FOLDER = "optimizer"
"""Where in a checkpoint the shards lie."""
PART = "#"
"""Stands before the number of a part, in the key of a weight that has several."""


class TensorShard(Tensor):
    """A rectangle of a tensor, as torch.distributed.checkpoint asks about it: `whole` is the tensor's shape, `offset`
    where in it this one begins."""

    whole: torch.Size
    offset: torch.Size

    @classmethod
    def of(cls, values: Tensor, whole: tuple[int, ...], offset: tuple[int, ...]) -> "TensorShard":
        shard = values.detach().as_subclass(cls)
        shard.whole, shard.offset = torch.Size(whole), torch.Size(offset)
        return shard

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


def shards_of(key: str, local: Tensor, spec: ShardSpec, rows: range | None) -> dict[str, TensorShard]:
    """The chunks of a `local` tensor, by their keys in the files."""
    return {
        key if len(spec.parts) == 1 else f"{key}{PART}{chunk.part}": TensorShard.of(
            local[chunk.local], spec.part_shape(chunk.part), chunk.offset
        )
        for chunk in spec.chunks(rows)
    }


def save_shards(shards: Mapping[str, Tensor], folder: Path, group: dist.ProcessGroup) -> None:
    """Write what all ranks have. Raises, in all of them, the OSError that one of them met."""
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        save(dict(shards), storage_writer=writer, process_group=group)
    except CheckpointException as failure:
        raise _cause(failure) from failure


def load_shards(folder: Path, specs: Mapping[str, ShardSpec], rows: Callable[[str], range | None]) -> dict[str, Tensor]:
    """What was written of the weights in `specs`, as much as this rank has, and what belongs to no weight. Raises
    OSError for files that cannot be read."""
    reader = HuggingFaceStorageReader(str(folder))
    wanted: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for stored, facts in reader.read_metadata().state_dict_metadata.items():
        key = stored.partition(PART)[0]
        name, dtype = weight_of(key, specs), facts.properties.dtype  # type: ignore[union-attr]
        if key in found or (not name and not key.startswith("random.")):  # the weight of another stage
            continue
        if not name or not facts.size:  # type: ignore[union-attr]
            found[key] = wanted[stored] = torch.empty(facts.size, dtype=dtype)  # type: ignore[union-attr]
            continue
        found[key] = torch.empty(specs[name].local_shape(rows(name)), dtype=dtype)
        wanted |= shards_of(key, found[key], specs[name], rows(name))
    try:
        with warnings.catch_warnings(action="ignore"):  # each process reads for itself, which torch would warn of
            load(wanted, storage_reader=reader, no_dist=True)
    except CheckpointException as failure:
        raise _cause(failure) from failure
    return found


def _cause(failure: CheckpointException) -> Exception:
    """What happened in the process that failed first."""
    errors = [error for error, _ in failure.failures.values()]
    return next((error for error in errors if isinstance(error, OSError)), OSError(0, str(errors[0])))
