"""A training that several processes share: what each of them keeps, and how what they find becomes one."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tfmcore.config import Config, TrainingConfig
from tfmcore.config.parallel import even_rows
from tfmcore.data import IGNORED, Batch
from tfmcore.inference.opened import OpenedModel
from tfmcore.models import Model
from tfmcore.models.weights import allocate, skeleton, write_tensors
from tfmcore.runs import Manifest
from tfmcore.training.batches import DeviceBatch, place, share_of
from tfmcore.training.checkpoints import Checkpoints, Written
from tfmcore.training.examination import layers_of
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.holdings import Holdings
from tfmcore.training.parallel.part import Parallel
from tfmcore.training.parallel.pipeline import Pipeline
from tfmcore.training.parallel.places import places_of
from tfmcore.training.parallel.shards import answer, local, replicated, set_gradient_sync, shard
from tfmcore.training.parallel.tensor import cut_tensors
from tfmcore.training.parallel.world import World
from tfmcore.training.precision import Precision

POLL_SECONDS = 0.1
SEED_STEP = 1_000_003
"""Shares draw their dropout from seeds so far apart."""


@dataclass(frozen=True)
class MicroBatches(DeviceBatch):
    """A batch, of which the pipeline is passed by this process's share, in `micro_batches`."""

    micro_batches: list[DeviceBatch] = field(default_factory=list)


class Spread(Parallel):
    """This process's share of a training: stages of a pipeline, heads and features, shards or copies, in this order."""

    is_alone = False
    uncompiled = "with several processes, steps are compiled only if training.compile is always"

    def __init__(self, world: World, config: Config) -> None:
        self.world, self.first = world, world.first
        self.num_neighbours = world.num_neighbours
        # a head for sentences that follow each other stands idle where the data have none
        self._unused = config.model.next_sentence_head and not config.data.next_sentence_prediction
        self.pipeline: Pipeline | None = None
        self.known_in_part: list[nn.Parameter] = []
        self._shared: list[tuple[nn.Parameter, dist.ProcessGroup]] = []

    def device_for(self, training: TrainingConfig) -> torch.device:
        return self.world.device

    def spread(self, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
        world, model = self.world, objective.model
        self.layers = list(layers_of(model))
        whole = {weight: name for name, weight in model.named_parameters()}
        shapes = {name: torch.empty_like(weight, device="meta") for weight, name in whole.items()}
        places, in_part = places_of(model), set[str]()
        if "pipeline" in world.sizes:
            self.pipeline = Pipeline(objective, world.along("pipeline"))
        names = {name: whole[weight] for name, weight in model.named_parameters()}
        if "tensor" in world.sizes:
            in_part = cut_tensors(model, world.along("tensor"), places, names)
        if "fsdp" in world.sizes:
            shard(objective, world.along("data", "fsdp"))
        self.module: nn.Module = objective
        if "data" in world.sizes and "fsdp" not in world.sizes and self.pipeline is None:
            self.module = replicated(objective, world.group("data"), self._unused)
        self.weights = {names[name]: weight for name, weight in model.named_parameters()}
        self.holdings = Holdings(world, shapes, places, names, self.weights)
        self.known_in_part = [self.weights[name] for name in sorted(in_part)]
        self._share_between_stages()
        self._copies_of = {self.weights[name]: count for name, count in self.copies.items()}
        self.device = model.device
        for group in optimizer.param_groups:
            kept = [whole[weight] for weight in group["params"] if whole[weight] in self.weights]
            group["params"][:] = [self.weights[name] for name in kept]

    def _share_between_stages(self) -> None:
        """A weight that several stages use (tied embeddings, positions) is kept by each of them, and its gradient is
        the sum of theirs."""
        places, world = self.holdings.places, self.world
        apart = world.count("tensor")
        self.copies = {name: world.count("data") * (apart if places[name].cut is None else 1) for name in self.weights}
        if self.pipeline is None:
            return
        held = [list[str]()] * world.size
        dist.all_gather_object(held, sorted(self.weights), world.words)
        dimension, groups = list(world.sizes).index("pipeline"), dict[tuple[int, ...], dist.ProcessGroup]()
        pipelines = world.mesh.mesh.movedim(dimension, -1).reshape(-1, self.pipeline.count).tolist()
        for name, ranks in product(self.holdings.shapes, pipelines):
            users = tuple(rank for rank in ranks if name in held[rank])
            if len(users) > 1:
                if users not in groups:  # which all processes make, whoever is in it
                    groups[users] = dist.new_group(list(users))
                if world.rank in users:
                    self._shared.append((self.weights[name], groups[users]))
                    self.copies[name] *= len(users)

    def seed(self, seed: int) -> None:
        stage = self.world.place("pipeline")
        if not self.holdings.own_random and (number := self.world.share + stage * self.world.num_shares):
            torch.manual_seed(seed + number * SEED_STEP)

    def place(self, batch: Batch, device: torch.device) -> DeviceBatch:
        if self.pipeline is None:
            return self.held_out(batch, device)
        whole, mine = place(batch, device), self._rows(batch, self.world.share, self.world.num_shares)
        count = self.pipeline.num_micro_batches(len(mine.labels))
        micro_batches = [share_of(whole, place(self._rows(mine, number, count), device)) for number in range(count)]
        return MicroBatches(**vars(whole), micro_batches=micro_batches)

    def _rows(self, batch: Batch, number: int, count: int) -> Batch:
        """One of `count` shares of the rows; where there are too few, a row that counts for nothing."""
        size = len(batch.labels)
        if rows := even_rows(number, count, size):
            return _cut(batch, slice(rows.start, rows.stop))
        row = _cut(batch, slice(0, 1))
        further = {name: labels * 0 + IGNORED for name, labels in row.further.items()}
        return replace(row, labels=row.labels * 0 + IGNORED, further=further)

    def backward(
        self, objective: Objective, batches: Sequence[DeviceBatch], num_labels: int, precision: Precision
    ) -> Tensor:
        nats = torch.zeros((), device=objective.model.device)
        for number, batch in enumerate(batches, 1):
            if self.pipeline is not None:
                assert isinstance(batch, MicroBatches)
                nats += self.pipeline.backward(batch.micro_batches, num_labels, precision)
                continue
            set_gradient_sync(self.module, number == len(batches))
            with precision.forward():
                sums = self.module(batch)
            # what follows is the mean over all shares, and what is wanted is their sum
            precision.backward(sums.objective * (self.world.num_shares / num_labels))
            nats += sums.nats.detach()
        self._sum_gradients()
        return nats

    def _sum_gradients(self) -> None:
        """Add up what no wrapper does."""
        if self.pipeline is not None and "data" in self.world.sizes:
            for weight in self.weights.values():
                self._sum(weight, self.world.group("data"))
        for weight in self.known_in_part:
            self._sum(weight, self.world.group("tensor"))
        for weight, group in self._shared:
            self._sum(weight, group)

    @staticmethod
    def _sum(weight: nn.Parameter, group: dist.ProcessGroup) -> None:
        if weight.requires_grad:
            if weight.grad is None:  # this one had nothing to say
                weight.grad = torch.zeros_like(weight)
            dist.all_reduce(local(weight.grad), group=group)

    def totals(self, nats: Tensor, weights: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor]:
        counted = [(local(w.grad), self.copies[name]) for name, w in self.weights.items() if w.grad is not None]
        squares = [gradient.float().square().sum() / copies for gradient, copies in counted]
        here = torch.stack(squares).sum() if squares else torch.zeros((), device=self.device)  # a frozen stage has none
        found = torch.stack([nats / self.world.count("tensor"), here]).double()
        dist.all_reduce(found)
        return found[0].float(), found[1].sqrt().float()

    def held(self, tensor: Tensor) -> Tensor:
        return local(tensor)

    def copies_of(self, weight: nn.Parameter) -> int:
        return self._copies_of[weight]

    def layer_sums(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        none = torch.zeros(5, device=self.device)
        rows = torch.stack([sums.get(name, none) for name in self.layers])
        if self.world.share:
            rows[:, 3:] = 0  # results are those of the batch's first sequence, wherever it is
        dist.all_reduce(rows)
        return dict(zip(self.layers, rows, strict=True))

    def clip(self, weights: Sequence[nn.Parameter], most: float, norm: Tensor) -> None:
        if gradients := [local(weight.grad) for weight in weights if weight.grad is not None]:
            torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp(max=1.0))

    @contextlib.contextmanager
    def in_turn(self, wait: Callable[[], None]) -> Iterator[None]:
        while not self.first and not self.world.store.check(["done"]):
            wait()
            time.sleep(POLL_SECONDS)
        yield
        if self.first:
            self.world.store.set("done", "")

    def held_out(self, batch: Batch, device: torch.device) -> DeviceBatch:
        mine = self._rows(batch, self.world.share, self.world.num_shares)
        return share_of(place(batch, device), place(mine, device))

    def total(self, sums: Tensor) -> Tensor:
        found = sums.clone()
        for kind in ("data", "fsdp"):
            if kind in self.world.sizes:
                dist.all_reduce(found, group=self.world.group(kind))
        return found

    def measured(self, model: Model) -> Callable[..., Any]:
        if self.pipeline is not None:
            return self.pipeline.answer
        if "fsdp" in self.world.sizes:
            return partial(answer, self.module)
        return model

    @contextlib.contextmanager
    def whole(self, opened: OpenedModel) -> Iterator[OpenedModel | None]:
        if set(self.world.sizes) == {"data"}:
            yield opened if self.first else None
            return
        copy = skeleton(opened.saved) if self.first else None
        if copy is not None:
            allocate(copy)
        weights = dict(copy.named_parameters()) if copy is not None else {}
        with torch.no_grad():
            for name, values in self.holdings.gathered(dict(opened.model.named_parameters())):
                if values is not None:
                    weights[name].copy_(values)
        yield None if copy is None else replace(opened, model=copy.eval())

    def write(self, checkpoints: Checkpoints, manifest: Manifest, fill: Callable[[Path], None]) -> Written:
        """The first process stages and publishes; the others fill what it has made room for."""

        def together(staged: Path) -> None:
            self._told(str(staged))
            fill(staged)
            dist.barrier(self.world.words)

        if self.first:
            written = checkpoints.write(manifest, together)
            self._told(str(written.folder))
            return written
        fill(Path(self._told("")))
        dist.barrier(self.world.words)
        return Written(Path(self._told("")))

    def _told(self, words: str) -> str:
        """What the first process says."""
        said = [words]
        dist.broadcast_object_list(said, 0, self.world.words)
        return said[0]

    def save_weights(self, model: Model, path: Path) -> None:
        gathered = self.holdings.gathered(dict(model.named_parameters()))
        if not self.first:
            for _ in gathered:
                pass
            return
        write_tensors(path, self.holdings.shapes, (values for _, values in gathered if values is not None))

    def save_tensors(self, model: Model, tensors: dict[str, Tensor], folder: Path) -> None:
        self.holdings.save(tensors, folder)

    def load_tensors(self, model: Model, folder: Path) -> dict[str, Tensor]:
        return self.holdings.load(folder)

    def agree(self, wishes: tuple[float, ...]) -> tuple[float, ...]:
        said = torch.tensor(wishes, dtype=torch.float64)
        dist.broadcast(said, 0, self.world.words)
        return tuple(said.tolist())


def _cut(batch: Batch, rows: slice) -> Batch:
    return replace(
        batch,
        inputs={name: array[rows] for name, array in batch.inputs.items()},
        labels=batch.labels[rows],
        example_ids=batch.example_ids[rows],
        further={name: labels[rows] for name, labels in batch.further.items()},
    )
