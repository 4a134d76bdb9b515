"""The optimizers as the config has them."""

import pytest
import torch

from tests.tfmcore.conftest import choices
from tfmcore.config import ModelConfig, SavedModel, TrainingConfig, presets
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import training_memory
from tfmcore.models import build
from tfmcore.training.optimizers import ChainedOptimizer, make_optimizer, set_learning_rate, states_of

SMALL = [name for name, preset in presets().items() if not preset.reading]


@pytest.mark.parametrize("name", SMALL)
def test_only_matrices_decay_and_every_weight_is_trained_once(name):
    config = presets()[name].config()
    model = build(SavedModel(task=config.data.task, vocab_size=40, model=config.model, labels=["a", "b"]))
    optimizer = make_optimizer(model, config.training)
    decayed, free = optimizer.param_groups
    assert all(weight.ndim >= 2 for weight in decayed["params"])
    assert all(weight.ndim < 2 for weight in free["params"])
    assert (decayed["weight_decay"], free["weight_decay"]) == (config.training.weight_decay, 0.0)
    trained = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(trained) == sorted(id(weight) for weight in model.parameters())
    assert decayed["fused"]
    assert decayed["betas"] == (config.training.beta1, config.training.beta2)
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


CHOICES = choices("training.optimizer")


def test_each_choice_is_another_optimizer():
    stack = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.Linear(2, 2)])})
    model = torch.nn.ModuleDict({"decoder": stack})
    made = [make_optimizer(model, TrainingConfig(optimizer=choice)) for choice in CHOICES]
    assert len({tuple(map(type, getattr(each, "parts", [each]))) for each in made}) == len(CHOICES)


@pytest.mark.parametrize("choice", CHOICES)
def test_what_each_keeps_of_the_weights_is_named_and_estimated(choice):
    config, training = ModelConfig(d_model=16, num_layers=1), TrainingConfig(optimizer=choice)
    model = build(SavedModel(task="language_modeling", vocab_size=40, model=config))
    optimizer = make_optimizer(model, training)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert {weight: set(kept) for weight, kept in optimizer.state.items()} == {
        weight: set(names) for weight, names in states_of(optimizer).items()
    }
    kept = sum(4 * value.numel() for each in optimizer.state.values() for value in each.values() if value.dim())
    assert training_memory(estimate(config, 40, "language_modeling"), training)["optimizer"] == kept


def test_frozen_weights_are_left_out():
    layer = torch.nn.Linear(3, 3)
    layer.bias.requires_grad = False
    assert make_optimizer(layer, TrainingConfig()).param_groups[1]["params"] == []


@pytest.mark.parametrize("name", SMALL)
def test_muon_has_the_matrices_within_layers_and_adamw_the_rest(name):
    config = presets()[name].config(["training.optimizer=muon", "training.momentum=0.8"])
    model = build(SavedModel(task=config.data.task, vocab_size=40, model=config.model, labels=["a", "b"]))
    optimizer = make_optimizer(model, config.training)
    assert isinstance(optimizer, ChainedOptimizer)
    muon, adamw = optimizer.parts
    names = {weight: name for name, weight in model.named_parameters()}
    hidden, rest = ({names[w] for group in part.param_groups for w in group["params"]} for part in (muon, adamw))
    assert hidden | rest == set(names.values())
    assert not hidden & rest
    assert hidden == {name for name, weight in model.named_parameters() if ".layers." in name and weight.ndim == 2}
    assert muon.param_groups[0]["momentum"] == 0.8
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for part in optimizer.parts for group in part.param_groups} == {0.5}


def test_muon_moves_a_matrix_as_far_as_adamw_would_and_evenly_in_all_directions():
    """The update is orthogonal, times 0.2 · sqrt(larger side) · rate (https://arxiv.org/abs/2502.16982, §2.2)."""
    torch.manual_seed(0)
    stack = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.Linear(32, 64)])})
    model = torch.nn.ModuleDict({"decoder": stack})
    optimizer = make_optimizer(model, TrainingConfig(optimizer="muon", learning_rate=0.1, weight_decay=0.0))
    weight = model.decoder.layers[0].weight
    before = weight.detach().clone()
    weight.grad = torch.randn(64, 32) * torch.logspace(0, -1, 32)
    optimizer.step()
    values = torch.linalg.svdvals(before - weight.detach()) / (0.1 * 0.2 * 64**0.5)
    assert values.min() > 0.4
    assert values.max() < 1.4
