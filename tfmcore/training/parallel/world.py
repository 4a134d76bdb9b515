"""The process group of a training and its device mesh: how the ranks meet, and where each of them stands."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore, PrefixStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from tfmcore.config import TrainingConfig
from tfmcore.config.parallel import sizes
from tfmcore.training.devices import choose_device
from tfmcore.training.parallel.rendezvous import RENDEZVOUS

POLL_SECONDS = 0.1
TIMEOUT = timedelta(hours=1)
"""So long one rank may be busy (drawing samples, writing a checkpoint) while others wait for it."""


class World:
    """This process as `rank` of `world_size`; `mesh` has a dimension for each kind of parallelism."""

    def __init__(
        self, training: TrainingConfig, store: Path, rank: int, local_rank: int = 0, local_world_size: int = 1
    ) -> None:
        """What ranks know before they meet in a file, which no world before has used: no port is opened for it."""
        self.rank, self.sizes = rank, sizes(training)
        self.world_size, self.local_rank, self.local_world_size = training.num_processes, local_rank, local_world_size
        self.store = FileStore(str(store), self.world_size)

    def join(self, training: TrainingConfig, wait: Callable[[], None] = lambda: None) -> Self:
        """Join the process group once all ranks can, calling `wait` meanwhile. Raises UserError for a device that is
        not there."""
        self.device = choose_device(training.device, self.local_world_size)
        if cuda := self.device.type == "cuda":
            self.device = torch.device("cuda", self.local_rank)  # by its number: the one set is this thread's alone
            torch.cuda.set_device(self.device)
        self.store.add("ready", 1)
        while self.store.add("ready", 0) < self.world_size:  # which one that fails never is
            wait()
            time.sleep(POLL_SECONDS)
        if not dist.is_initialized():
            backend, store_of_group = "cpu:gloo,cuda:nccl" if cuda else "gloo", PrefixStore("group", self.store)
            dist.init_process_group(
                backend, store=store_of_group, rank=self.rank, world_size=self.world_size, timeout=TIMEOUT
            )
        self.mesh = init_device_mesh(self.device.type, tuple(self.sizes.values()), mesh_dim_names=tuple(self.sizes))
        self.cpu_group = dist.new_group(backend="gloo", timeout=TIMEOUT)
        """For what ranks tell each other in Python objects, and for what is on their processors."""
        return self

    @classmethod
    def of_environment(cls, training: TrainingConfig, environment: Mapping[str, str] = os.environ) -> "World":
        """The world that torchrun has told this process about."""
        store = Path(f"{environment[RENDEZVOUS]}-{environment['MASTER_PORT']}")  # another in each new start
        ranks = (int(environment[name]) for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
        return cls(training, store, *ranks)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def rank_in(self, kind: str) -> int:
        """This process's rank along a dimension of the mesh."""
        return self.mesh.get_local_rank(kind) if kind in self.sizes else 0

    def size_of(self, kind: str) -> int:
        return self.sizes.get(kind, 1)

    def submesh(self, *kinds: str) -> DeviceMesh:
        """The mesh along those of the dimensions that there are."""
        return self.mesh[tuple(kind for kind in kinds if kind in self.sizes)]

    def group(self, kind: str) -> dist.ProcessGroup:
        return self.mesh.get_group(kind)

    @property
    def dp_rank(self) -> int:
        """Which of `dp_size` slices of each batch this process computes: FSDP is data parallel, too."""
        return self.rank_in("data") * self.size_of("fsdp") + self.rank_in("fsdp")

    @property
    def dp_size(self) -> int:
        return self.size_of("data") * self.size_of("fsdp")
