"""The ranks of a training: which device each of them computes on."""

import pytest
import torch

from tests.tfmcore.training.parallel.processes import config
from tfmcore.training.parallel import world
from tfmcore.training.parallel.world import World


@pytest.mark.parametrize(("rank", "local_rank"), [(0, 0), (1, 1), (3, 1)])
def test_each_process_names_its_own_gpu_which_holds_in_all_its_threads(monkeypatch, tmp_path, rank, local_rank):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(world.dist, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(world.dist, "new_group", lambda *_, **__: None)
    monkeypatch.setattr(world, "init_device_mesh", lambda kind, *_, **__: kind)
    training = config("nano-decoder", "data", "training.device=cuda", "training.num_processes=4").training
    there = World(training, tmp_path / "store", rank, local_rank, local_world_size=2)
    there.store.add("ready", 3)  # the others
    there.join(training)
    assert there.device == torch.device("cuda", local_rank)
    assert chosen == [there.device]
    assert there.mesh == "cuda", "a mesh is of a kind of device, each process's own"
