"""A training by several ranks: what each of them has of the model and of each batch, and what they reduce."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tfmcore.config import Config, TrainingConfig
from tfmcore.config.parallel import even_rows
from tfmcore.data import IGNORED, Batch
from tfmcore.models import Model
from tfmcore.runs import Manifest
from tfmcore.training.batches import DeviceBatch, to_device
from tfmcore.training.checkpoints import Checkpoints, Written
from tfmcore.training.examination import layers_of
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.data_parallel import answer, apply_ddp, apply_fsdp, local_tensor, set_gradient_sync
from tfmcore.training.parallel.shard_spec import shard_specs
from tfmcore.training.parallel.sharded_state import ShardedState
from tfmcore.training.parallel.strategy import Strategy
from tfmcore.training.parallel.tensor_parallel import apply_tensor_parallel
from tfmcore.training.parallel.world import World
from tfmcore.training.precision import Precision

if TYPE_CHECKING:
    from tfmcore.training.parallel.pipeline import Pipeline

POLL_SECONDS = 0.1
SEED_STEP = 1_000_003
"""Ranks that have other rows, or other layers, draw their dropout from seeds so far apart."""


@dataclass(frozen=True)
class MicroBatches(DeviceBatch):
    """This rank's rows of a batch, and the same in the `micro_batches` that pass the pipeline."""

    micro_batches: list[DeviceBatch] = field(default_factory=list)


class Distributed(Strategy):
    """Pipeline, tensor and data parallelism, applied in this order."""

    is_distributed = True
    uncompiled = "with several processes, steps are compiled only if training.compile is always"
    state: ShardedState

    def __init__(self, world: World, config: Config) -> None:
        self.world, self.is_main, self.local_world_size = world, world.is_main, world.local_world_size
        # a head for sentences that follow each other stands idle where the data have none
        self._unused = config.model.next_sentence_head and not config.data.next_sentence_prediction
        self.pipeline: Pipeline | None = None

    def device_for(self, training: TrainingConfig) -> torch.device:
        return self.world.device

    def parallelize(self, objective: Objective, optimizer: torch.optim.Optimizer) -> None:
        world, model = self.world, objective.model
        self.layers, self.device = list(layers_of(model)), model.device
        full = {weight: name for name, weight in model.named_parameters()}
        shapes = {name: torch.empty_like(weight, device="meta") for weight, name in full.items()}
        specs, partial_gradients = shard_specs(model), set[str]()
        if "pipeline" in world.sizes:
            from tfmcore.training.parallel.pipeline import Pipeline  # loads torch's compiler

            self.pipeline = Pipeline(objective, world.submesh("pipeline"))
        names = {name: full[weight] for name, weight in model.named_parameters()}
        if "tensor" in world.sizes:
            partial_gradients = apply_tensor_parallel(model, world.submesh("tensor"), specs, names)
        if "fsdp" in world.sizes:
            apply_fsdp(objective, world.submesh("data", "fsdp"))
        self.module: nn.Module = objective
        if "data" in world.sizes and "fsdp" not in world.sizes and self.pipeline is None:
            self.module = apply_ddp(objective, world.group("data"), self._unused)
        self.weights = {names[name]: weight for name, weight in model.named_parameters()}
        self.state = ShardedState(world, shapes, specs, names, self.weights)
        replicas = {
            name: world.size_of("data") * (world.size_of("tensor") if specs[name].dim is None else 1)
            for name in self.weights
        }
        # what no wrapper sums
        self._to_reduce = [(self.weights[name], world.group("tensor")) for name in sorted(partial_gradients)]
        if self.pipeline is not None:
            if "data" in world.sizes:
                self._to_reduce = [(w, world.group("data")) for w in self.weights.values()] + self._to_reduce
            for name, group in self._tied_between_stages(self.pipeline.num_stages):
                self._to_reduce.append((self.weights[name], group))
                replicas[name] *= dist.get_world_size(group)
        self._num_replicas = {self.weights[name]: count for name, count in replicas.items()}
        for options in optimizer.param_groups:
            kept = [full[weight] for weight in options["params"] if full[weight] in self.weights]
            options["params"][:] = [self.weights[name] for name in kept]

    def _tied_between_stages(self, num_stages: int) -> Iterator[tuple[str, dist.ProcessGroup]]:
        """A weight that several stages use (tied embeddings, positions) is in each of them, and its gradient is the sum
        of theirs: its name, and the group of the ranks that have it."""
        world = self.world
        names_of = self._names_of_ranks(sorted(self.weights))
        dimension, groups = list(world.sizes).index("pipeline"), dict[tuple[int, ...], dist.ProcessGroup]()
        pipelines = world.mesh.mesh.movedim(dimension, -1).reshape(-1, num_stages).tolist()
        for name, ranks in product(self.state.shapes, pipelines):
            users = tuple(rank for rank in ranks if name in names_of[rank])
            if len(users) > 1:
                if users not in groups:  # which all ranks make, whoever is in it
                    groups[users] = dist.new_group(list(users))
                if world.rank in users:
                    yield name, groups[users]

    def seed(self, seed: int) -> None:
        stage = self.world.rank_in("pipeline")
        if not self.state.has_own_random and (number := self.world.dp_rank + stage * self.world.dp_size):
            torch.manual_seed(seed + number * SEED_STEP)

    def local_batch(self, batch: Batch, device: torch.device) -> DeviceBatch:
        rows = _rows(batch, self.world.dp_rank, self.world.dp_size)
        local = to_device(rows, device, batch)
        if self.pipeline is None:
            return local
        count = self.pipeline.num_micro_batches(len(rows.labels))
        micro_batches = [to_device(_rows(rows, number, count), device, batch) for number in range(count)]
        return MicroBatches(**vars(local), micro_batches=micro_batches)

    def backward(
        self, objective: Objective, batches: Sequence[DeviceBatch], num_labels: int, precision: Precision
    ) -> Tensor:
        nats = torch.zeros((), device=self.device)
        for number, batch in enumerate(batches, 1):
            if self.pipeline is not None:
                assert isinstance(batch, MicroBatches)
                nats += self.pipeline.backward(batch.micro_batches, num_labels, precision)
                continue
            set_gradient_sync(self.module, number == len(batches))
            with precision.forward():
                sums = self.module(batch)
            # DDP and FSDP take the mean over all ranks, and what is wanted is their sum
            precision.backward(sums.objective * (self.world.dp_size / num_labels))
            nats += sums.nats.detach()
        for weight, group in self._to_reduce:
            if weight.requires_grad:
                if weight.grad is None:  # here it took no part
                    weight.grad = torch.zeros_like(weight)
                dist.all_reduce(local_tensor(weight.grad), group=group)
        return nats

    def loss_and_norm(self, nats: Tensor, weights: Sequence[nn.Parameter]) -> tuple[Tensor, Tensor]:
        gradients = [(local_tensor(w.grad), count) for w, count in self._num_replicas.items() if w.grad is not None]
        squares = [gradient.float().square().sum() / count for gradient, count in gradients]
        here = torch.stack(squares).sum() if squares else torch.zeros((), device=self.device)  # a frozen stage has none
        found = torch.stack([nats / self.world.size_of("tensor"), here]).double()
        dist.all_reduce(found)
        return found[0].float(), found[1].sqrt().float()

    def clip(self, weights: Sequence[nn.Parameter], max_norm: float, norm: Tensor) -> None:
        if gradients := [local_tensor(weight.grad) for weight in weights if weight.grad is not None]:
            torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))

    def local(self, tensor: Tensor) -> Tensor:
        return local_tensor(tensor)

    def num_replicas(self, weight: nn.Parameter) -> int:
        return self._num_replicas[weight]

    def reduce_layers(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        none = torch.zeros(5, device=self.device)
        rows = torch.stack([sums.get(name, none) for name in self.layers])
        if self.world.dp_rank:
            rows[:, 3:] = 0  # results are those of the batch's first sequence, wherever it is
        dist.all_reduce(rows)
        return dict(zip(self.layers, rows, strict=True))

    def all_reduce(self, counts: Tensor) -> Tensor:
        found = counts.clone()
        for kind in ("data", "fsdp"):
            if kind in self.world.sizes:
                dist.all_reduce(found, group=self.world.group(kind))
        return found

    def all_names(self, names: list[str]) -> list[str]:
        return list(dict.fromkeys(chain.from_iterable(self._names_of_ranks(names))))

    def _names_of_ranks(self, names: list[str]) -> list[list[str]]:
        """What each rank gives."""
        found = [list[str]()] * self.world.world_size
        dist.all_gather_object(found, names, self.world.cpu_group)
        return found

    def forward(self, model: Model) -> Callable[..., Any]:
        if self.pipeline is not None:
            return self.pipeline.answer
        return partial(answer, self.module) if "fsdp" in self.world.sizes else model

    @contextlib.contextmanager
    def main_first(self, wait: Callable[[], None]) -> Iterator[None]:
        while not self.is_main and not self.world.store.check(["done"]):
            wait()
            time.sleep(POLL_SECONDS)
        yield
        if self.is_main:
            self.world.store.set("done", "")

    def write(self, checkpoints: Checkpoints, manifest: Manifest, fill: Callable[[Path], None]) -> Written:
        """The main process stages and publishes; the others fill what it has made room for."""

        def together(staged: Path) -> None:
            self.of_main(str(staged))
            fill(staged)
            dist.barrier(self.world.cpu_group)

        if self.is_main:
            written = checkpoints.write(manifest, together)
            self.of_main(str(written.folder))
            return written
        fill(Path(self.of_main("")))
        dist.barrier(self.world.cpu_group)
        return Written(Path(self.of_main("")))

    def of_main(self, text: str) -> str:
        told = [text]
        dist.broadcast_object_list(told, 0, self.world.cpu_group)
        return told[0]

    def broadcast(self, numbers: tuple[float, ...]) -> tuple[float, ...]:
        told = torch.tensor(numbers, dtype=torch.float64)
        dist.broadcast(told, 0, self.world.cpu_group)
        return tuple(told.tolist())


def _rows(batch: Batch, number: int, count: int) -> Batch:
    """One of `count` slices of the rows; where there are too few, a row that counts for nothing."""
    if rows := even_rows(number, count, len(batch.labels)):
        return batch.rows(rows.start, rows.stop)
    row = batch.rows(0, 1)
    further = {name: labels * 0 + IGNORED for name, labels in row.further.items()}
    return replace(row, labels=row.labels * 0 + IGNORED, further=further)
