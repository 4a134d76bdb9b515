"""The state of a training of which each rank has a part: how its full tensors are gathered, saved and loaded."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tfmcore.inference.opened import OpenedModel
from tfmcore.models import Model
from tfmcore.models.weights import allocate, skeleton, write_tensors
from tfmcore.training.parallel.data_parallel import local_rows, local_tensor, shard_like
from tfmcore.training.parallel.distributed_checkpoint import FOLDER, load_shards, save_shards, shards_of
from tfmcore.training.parallel.full_state import FullState
from tfmcore.training.parallel.shard_spec import ShardSpec, weight_of
from tfmcore.training.parallel.world import World
from tfmcore.training.state import TENSORS, load_tensors, save_tensors


class ShardedState(FullState):
    """`names` are what the weights that are here are called in the full model, `weights` they themselves by those
    names; of every weight of the full model there are its shape (on the meta device) and its spec. `has_own_random`
    says that what was loaded has this very rank's random numbers."""

    def __init__(
        self,
        world: World,
        shapes: Mapping[str, Tensor],
        specs: Mapping[str, ShardSpec],
        names: Mapping[str, str],
        weights: Mapping[str, nn.Parameter],
    ) -> None:
        self.world, self.shapes, self.specs, self.names, self.weights = world, shapes, specs, names, weights
        self.has_own_random = False

    def full_tensors(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor | None]]:
        """Every weight of the full model, one after the other, in the main process; `tensors` are what this rank has
        of them, by their names here."""
        mine = {self.names[name]: tensor for name, tensor in tensors.items()}
        for name, shape in self.shapes.items():
            chunks: list[tuple[Any, ...]] = []
            if name in mine and self._is_first_replica(name):
                values, rows = local_tensor(mine[name]).detach().cpu(), local_rows(mine[name])
                chunks = [(chunk, values[chunk.local].clone()) for chunk in self.specs[name].chunks(rows)]
            gathered = [list[tuple[Any, ...]]()] * self.world.world_size if self.world.is_main else None
            dist.gather_object(chunks, gathered, group=self.world.cpu_group)
            if gathered is None:
                yield name, None
                continue
            full = torch.empty(shape.shape, dtype=shape.dtype)
            for chunk, values in (found for each in gathered for found in each):
                self.specs[name].write(full, chunk, values)
            yield name, full

    def _is_first_replica(self, name: str) -> bool:
        """Whether this rank's copy is the one that counts."""
        is_sharded = self.specs[name].dim is not None
        return self.world.rank_in("data") == 0 and (is_sharded or not self.world.rank_in("tensor"))

    @property
    def _is_replicated(self) -> bool:
        """Whether every rank has all of the model."""
        return set(self.world.sizes) == {"data"}

    def save_weights(self, model: Model, path: Path) -> None:
        if self._is_replicated:  # and it may have other weights now than `shapes` tells: low-rank updates are merged
            if self.world.is_main:
                super().save_weights(model, path)
            return
        gathered = self.full_tensors(dict(model.named_parameters()))
        if self.world.is_main:
            write_tensors(path, self.shapes, (values for _, values in gathered if values is not None))
        for _ in gathered:
            pass

    @contextlib.contextmanager
    def full_model(self, opened: OpenedModel) -> Iterator[OpenedModel | None]:
        if self._is_replicated:
            yield opened if self.world.is_main else None
            return
        copy = skeleton(opened.saved) if self.world.is_main else None
        if copy is not None:
            allocate(copy)
        weights = dict(copy.named_parameters()) if copy is not None else {}
        with torch.no_grad():
            for name, values in self.full_tensors(dict(opened.model.named_parameters())):
                if values is not None:
                    weights[name].copy_(values)
        yield None if copy is None else replace(opened, model=copy.eval())

    def save(self, tensors: dict[str, Tensor], folder: Path) -> None:
        if self._is_replicated:  # the main process has all but the random numbers of the others
            random = {f"{key}.{self.world.rank}": x for key, x in tensors.items() if key.startswith("random.")}
            gathered = [dict[str, Tensor]()] * self.world.world_size if self.world.is_main else None
            dist.gather_object(random, gathered, group=self.world.cpu_group)
            for each in gathered or []:
                tensors |= each
            if self.world.is_main:
                save_tensors(tensors, folder)
            return
        shards: dict[str, Tensor] = {}
        for key, tensor in tensors.items():
            name = weight_of(key, self.names)
            if not name:  # random numbers, each rank's own
                shards[f"{key}.{self.world.rank}"] = tensor
                continue
            full_name = self.names[name]
            full_key = key.replace(name, full_name)
            if tensor.ndim:
                rows = local_rows(self.weights[full_name])
                shards |= shards_of(full_key, local_tensor(tensor), self.specs[full_name], rows)
            else:
                shards[full_key] = tensor
        save_shards(shards, folder / FOLDER, self.world.cpu_group)

    def load(self, model: Model, folder: Path) -> dict[str, Tensor]:
        ours = {full_name: name for name, full_name in self.names.items()}
        if (folder / TENSORS).is_file():
            found = dict[str, Tensor]()
            for key, tensor in load_tensors(folder).items():
                name = weight_of(key, ours)
                if name and tensor.ndim:
                    rows, shard = local_rows(self.weights[name]), self.specs[name].shard(tensor)
                    found[key] = shard if rows is None else shard[rows.start : rows.stop]
                elif name or key.startswith("random."):
                    found[key] = tensor
        else:
            specs = {name: self.specs[name] for name in ours}
            found = load_shards(folder / FOLDER, specs, lambda name: local_rows(self.weights[name]))
        self.has_own_random = sum(key.startswith("random.cpu.") for key in found) == self.world.world_size
        mine = {}
        for key, tensor in found.items():
            if name := weight_of(key, ours):
                mine[key.replace(name, ours[name])] = shard_like(tensor, self.weights[name]) if tensor.ndim else tensor
        rank = self.world.rank if self.has_own_random else 0
        for kind in ("random.cpu", "random.cuda"):
            if (state := found.get(f"{kind}.{rank}", found.get(kind))) is not None:
                mine[kind] = state
        return mine
