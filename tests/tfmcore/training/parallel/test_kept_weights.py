"""The weights that a process keeps, as the estimate tells them and as the real split leaves them, for every switch."""

from collections.abc import Iterator

import pytest
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from tests.tfmcore.config.test_estimate import TASK, make
from tfmcore.config import ModelConfig, SavedModel
from tfmcore.config.device import weights_of
from tfmcore.config.estimate import estimate
from tfmcore.config.placement import stage_of
from tfmcore.models.weights import skeleton
from tfmcore.training.losses import Objective
from tfmcore.training.parallel.shard_spec import shard_specs
from tfmcore.training.parallel.stages import Stage
from tfmcore.training.parallel.tensor_parallel import apply_tensor_parallel

TOKENS = 32


@pytest.fixture(scope="module")
def pair() -> Iterator[DeviceMesh]:
    """Two processes, of which this is the first, and the other one is imagined."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",))
    dist.destroy_process_group()


def num_weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def num_layers(config: ModelConfig) -> int:
    return stage_of(config).num_layers


def stages_keep_what_is_told(config: ModelConfig, count: int) -> None:
    task = TASK[config.architecture]
    cost, saved = estimate(config, TOKENS, task), SavedModel(task=task, vocab_size=TOKENS, model=config)
    for index in range(count):
        stage = Stage(Objective(skeleton(saved), task), index, count)
        expected = weights_of(cost, stage_of(config, index, count))
        assert sum(expected.values()) == num_weights(stage), (index, count, expected)


def test_stages_of_every_switch(variant: ModelConfig) -> None:
    """Of several layers, and of one."""
    for count in {2, num_layers(variant)}:
        stages_keep_what_is_told(variant, count)


@pytest.mark.parametrize("architecture", TASK)
def test_any_number_of_stages(architecture: str) -> None:
    config = ModelConfig(architecture=architecture, num_layers=4, num_decoder_layers=5)
    for count in range(1, num_layers(config) + 1):
        stages_keep_what_is_told(config, count)


def test_tensor_shards_of_every_switch(variant: ModelConfig, pair: DeviceMesh) -> None:
    model = make(variant, vocab_size=TOKENS)
    names = {name: name for name, _ in model.named_parameters()}
    apply_tensor_parallel(model, pair, shard_specs(model), names)
    expected = weights_of(estimate(variant, TOKENS, TASK[variant.architecture]), stage_of(variant), 2)
    assert sum(expected.values()) == num_weights(model)


def test_a_classifier_keeps_its_tokens_in_the_first_stage_alone() -> None:
    config = ModelConfig(architecture="encoder", num_layers=2)
    cost = estimate(config, TOKENS, "classification", 3)
    first, last = (weights_of(cost, stage_of(config, index, 2)) for index in (0, 1))
    assert first["token embedding"] == TOKENS * config.d_model
    assert last["token embedding"] == first["head"] == 0
    assert last["head"] > 0
