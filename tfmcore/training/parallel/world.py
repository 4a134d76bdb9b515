"""The processes that share a training: how they meet, and which of them is which."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore, PrefixStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from tfmcore.config import TrainingConfig
from tfmcore.config.parallel import sizes
from tfmcore.training.devices import choose_device
from tfmcore.training.parallel.meeting import MEETING

TIMEOUT = timedelta(hours=1)
"""So long one process may be busy (drawing samples, writing a checkpoint) while others wait for it."""


class World:
    """This process among the others: `rank` of `size`, and for each kind of sharing a dimension of `mesh`."""

    def __init__(
        self, training: TrainingConfig, meeting: Path, rank: int, local_rank: int = 0, num_neighbours: int = 1
    ) -> None:
        """Meet the others by a file, whose name no processes before have met by: no port is opened for it."""
        self.rank, self.sizes = rank, sizes(training)
        self.size, self.num_neighbours = training.num_processes, num_neighbours
        self.device = choose_device(training.device, num_neighbours)
        if cuda := self.device.type == "cuda":
            self.device = torch.device("cuda", local_rank)  # by its number: the one that is set is this thread's alone
            torch.cuda.set_device(self.device)
        self.store = FileStore(str(meeting), self.size)
        if not dist.is_initialized():
            backend, store = "cpu:gloo,cuda:nccl" if cuda else "gloo", PrefixStore("group", self.store)
            dist.init_process_group(backend, store=store, rank=rank, world_size=self.size, timeout=TIMEOUT)
        self.mesh = init_device_mesh(self.device.type, tuple(self.sizes.values()), mesh_dim_names=tuple(self.sizes))
        self.words = dist.new_group(backend="gloo", timeout=TIMEOUT)
        """The group in which processes talk about the work, on their processors."""

    @classmethod
    def of_environment(cls, training: TrainingConfig, environment: Mapping[str, str] = os.environ) -> "World":
        """The world that the launcher has told this process about."""
        meeting = Path(f"{environment[MEETING]}-{environment['MASTER_PORT']}")  # another in each new start
        rank, local_rank, neighbours = (int(environment[n]) for n in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
        return cls(training, meeting, rank, local_rank, neighbours)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def place(self, kind: str) -> int:
        """Which one this process is among those of a kind."""
        return self.mesh.get_local_rank(kind) if kind in self.sizes else 0

    def count(self, kind: str) -> int:
        return self.sizes.get(kind, 1)

    def along(self, *kinds: str) -> DeviceMesh:
        """The part of the mesh along some kinds, those that there are."""
        return self.mesh[tuple(kind for kind in kinds if kind in self.sizes)]

    def group(self, kind: str) -> dist.ProcessGroup:
        return self.mesh.get_group(kind)

    @property
    def share(self) -> int:
        """Which share of each batch this process computes, of `num_shares`."""
        return self.place("data") * self.count("fsdp") + self.place("fsdp")

    @property
    def num_shares(self) -> int:
        return self.count("data") * self.count("fsdp")

    def leave(self) -> None:
        dist.destroy_process_group()
