"""What a process holds of a model and of its training's state: how all of it becomes a whole, and a whole its share."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tfmcore.training.parallel.places import Place, weight_of
from tfmcore.training.parallel.shards import like, local, rows_of
from tfmcore.training.parallel.storage import FOLDER, load_shards, save_shards, shares_of
from tfmcore.training.parallel.world import World
from tfmcore.training.state import TENSORS, load_tensors, save_tensors


class Holdings:
    """`names` are what the weights that are here are called in the whole model, `weights` they themselves by those
    names; of every weight of the whole model there are its shape (on the meta device) and its place. `own_random` says
    that what was loaded has this very process's random numbers."""

    def __init__(
        self,
        world: World,
        shapes: Mapping[str, Tensor],
        places: Mapping[str, Place],
        names: Mapping[str, str],
        weights: Mapping[str, nn.Parameter],
    ) -> None:
        self.world, self.shapes, self.places, self.names, self.weights = world, shapes, places, names, weights
        self.own_random = False

    def gathered(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor | None]]:
        """Every weight of the whole model, one after the other, in the first process; `tensors` are what this one holds
        of them, by their names here."""
        mine = {self.names[name]: tensor for name, tensor in tensors.items()}
        for name, shape in self.shapes.items():
            blocks: list[tuple[Any, ...]] = []
            if name in mine and self._speaks_for(name):
                values, rows = local(mine[name]).detach().cpu(), rows_of(mine[name])
                blocks = [(block, values[block.held].clone()) for block in self.places[name].blocks(rows)]
            heard = [list[tuple[Any, ...]]()] * self.world.size if self.world.first else None
            dist.gather_object(blocks, heard, group=self.world.words)
            if heard is None:
                yield name, None
                continue
            whole = torch.empty(shape.shape, dtype=shape.dtype)
            for block, values in (found for each in heard for found in each):
                self.places[name].put(whole, block, values)
            yield name, whole

    def _speaks_for(self, name: str) -> bool:
        """Whether this process's copy is the one that counts."""
        return self.world.place("data") == 0 and (self.places[name].cut is not None or not self.world.place("tensor"))

    def save(self, tensors: dict[str, Tensor], folder: Path) -> None:
        """Write what all processes hold of a training's state, by the keys of `tfmcore.training.state`."""
        if set(self.world.sizes) == {"data"}:  # the first process has all but the random numbers of the others
            random = {f"{key}.{self.world.rank}": x for key, x in tensors.items() if key.startswith("random.")}
            heard = [dict[str, Tensor]()] * self.world.size if self.world.first else None
            dist.gather_object(random, heard, group=self.world.words)
            for others in heard or []:
                tensors |= others
            if self.world.first:
                save_tensors(tensors, folder)
            return
        shares: dict[str, Tensor] = {}
        for key, tensor in tensors.items():
            name = weight_of(key, self.names)
            if not name:  # random numbers, each process's own
                shares[f"{key}.{self.world.rank}"] = tensor
            elif not tensor.ndim:
                shares[self._known(key, name)] = tensor
            else:
                own = self.names[name]
                shares |= shares_of(self._known(key, name), local(tensor), self.places[own], self._rows_here(own))
        save_shards(shares, folder / FOLDER, self.world.words)

    def load(self, folder: Path) -> dict[str, Tensor]:
        """This process's share of what was written, by however many."""
        ours = {known: name for name, known in self.names.items()}
        if (folder / TENSORS).is_file():
            whole = load_tensors(folder)
            names = {key: weight_of(key, ours) for key in whole}
            found = {key: tensor for key, tensor in whole.items() if names[key] or key.startswith("random.")}
            for key, tensor in found.items():
                if names[key] and tensor.ndim:
                    rows = self._rows_here(names[key])
                    piece = self.places[names[key]].take(tensor)
                    found[key] = piece if rows is None else piece[rows.start : rows.stop]
        else:
            found = load_shards(folder / FOLDER, {name: self.places[name] for name in ours}, self._rows_here)
        count = sum(key.startswith("random.cpu.") for key in found)
        self.own_random = count == self.world.size
        told = {}
        for key, tensor in found.items():
            if name := weight_of(key, ours):
                value = like(tensor, self.weights[name]) if tensor.ndim else tensor
                told[key.replace(name, ours[name])] = value
        rank = self.world.rank if self.own_random else 0
        for kind in ("random.cpu", "random.cuda"):
            if (state := found.get(f"{kind}.{rank}", found.get(kind))) is not None:
                told[kind] = state
        return told

    def _known(self, key: str, name: str) -> str:
        """The key by the weight's name in the whole model."""
        return key.replace(name, self.names[name])

    def _rows_here(self, name: str) -> range | None:
        return rows_of(self.weights[name])
