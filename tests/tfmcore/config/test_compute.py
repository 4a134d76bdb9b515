"""What a step computes is what torch counts, for each architecture, and where only some weights learn."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tfmcore.config import Config, SavedModel
from tfmcore.config import estimate as estimates
from tfmcore.config.compute import step_flops
from tfmcore.config.estimate import estimate
from tfmcore.models import build
from tfmcore.training.finetuning import choose_trained
from tfmcore.training.learner import Learner
from tfmcore.training.measure import random_batch

TASKS = {"encoder": "masked_language_modeling", "decoder": "language_modeling", "encoder_decoder": "translation"}
SOURCES = {"encoder": "python_manual", "decoder": "python_manual", "encoder_decoder": "copy"}
SHAPE = {"d_model": 64, "num_layers": 3, "num_heads": 4, "context_length": 32}
LORA = {"finetune_from": "another", "lora_rank": 4}


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ({}, {}),
        ({"num_kv_heads": 2, "tie_embeddings": False}, {}),
        ({"architecture": "encoder"}, {"freeze": ["embedding", "layers.0-1"]}),
        ({"architecture": "encoder_decoder", "tie_embeddings": False}, {"freeze": ["head", "decoder.layers.1"]}),
        ({"position": "disentangled", "architecture": "encoder", "share_position_projections": True}, {}),
        ({"num_layers": 8}, LORA),
        ({"num_layers": 8, "activation": "relu"}, LORA | {"lora_targets": ["attention", "feed_forward"]}),
    ],
)
def test_it_is_what_torch_counts(
    monkeypatch: pytest.MonkeyPatch, model: dict[str, Any], training: dict[str, Any]
) -> None:
    monkeypatch.setattr(estimates, "_seen", lambda length, window, causal: length)  # plain products make all of them
    architecture = model.get("architecture", "decoder")
    how = {"batch_size": 16, "threads": 1, "device": "cpu"} | training
    data = {"task": TASKS[architecture], "source": SOURCES[architecture]}
    config = Config.parse({"data": data, "model": SHAPE | model, "training": how})
    saved = SavedModel(task=config.data.task, vocab_size=500, model=config.model)
    built = build(saved).train()
    choose_trained(built, config.training)
    learner, batch = Learner(built, saved.task, config.training), random_batch(config, 500, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        learner.gradient([batch])
    found = sum(step_flops(estimate(config.model, 500, config.data.task), config.training).values())
    assert found * 16 * config.model.context_length == pytest.approx(counter.get_total_flops(), rel=0.05)
