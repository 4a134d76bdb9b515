"""AdamW as the config has it."""

import pytest
import torch

from tfmcore.config import SavedModel, TrainingConfig, presets
from tfmcore.models import build
from tfmcore.training.optimizers import make_optimizer, set_learning_rate


@pytest.mark.parametrize("name", presets())
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


def test_frozen_weights_are_left_out():
    layer = torch.nn.Linear(3, 3)
    layer.bias.requires_grad = False
    assert make_optimizer(layer, TrainingConfig()).param_groups[1]["params"] == []
