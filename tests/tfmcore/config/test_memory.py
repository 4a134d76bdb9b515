"""The memory of one device where several processes share a training."""

import pytest

from tfmcore.config import Config
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import memory_to_train, same_step_within, training_memory

MODEL = {"d_model": 16, "num_heads": 4, "num_layers": 4, "d_ff": 32, "context_length": 8, "dropout": 0.0}
TOKENS = 32
LAYER = 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16
"""Weights of a layer: attention, a gated feed-forward and two norms."""
TOTAL = TOKENS * 16 + 4 * LAYER + 16


def memory(parallel: list[str], number: int = 2, tokens: int = TOKENS, **training: object) -> dict[str, int]:
    shared = {"batch_size": 16, "parallel": parallel, "num_processes": number} | training
    config = Config.parse({"model": MODEL, "training": shared})
    return training_memory(estimate(config.model, tokens, "language_modeling"), config.training)


ALONE = memory([])


def test_alone():
    assert ALONE["weights"] == 4 * TOTAL
    assert ALONE["optimizer"] == 8 * TOTAL
    assert "gathered weights" not in ALONE


def test_data_parallel_has_a_share_of_the_batch():
    found = memory(["data"], 4)
    assert (found["weights"], found["optimizer"]) == (ALONE["weights"], ALONE["optimizer"])
    assert found["gradients"] == 4 * TOTAL, "the buckets are always there"
    assert found["activations"] == ALONE["activations"] / 4
    assert found["logits"] == ALONE["logits"] / 4


def test_fsdp_keeps_a_shard_and_gathers_two_layers_and_what_is_outside():
    found = memory(["fsdp"], 4)
    assert found["weights"] == TOTAL
    assert found["optimizer"] == 2 * TOTAL
    assert found["gathered weights"] == 4 * (TOTAL - 2 * LAYER)
    assert found["activations"] == ALONE["activations"] / 4
    assert memory(["fsdp"], 4, accumulation=2)["gradients"] == TOTAL


def test_tensor_parallel_keeps_norms_whole_and_shares_the_rest():
    found = memory(["tensor"], 2)
    norms = 9 * 16
    assert found["weights"] == 4 * (norms + (TOTAL - norms) / 2)
    assert found["optimizer"] == 2 * found["weights"]
    assert ALONE["activations"] / 2 < found["activations"] < ALONE["activations"]
    assert found["logits"] == ALONE["logits"], "every process gets all of them"


def test_of_a_pipeline_the_stage_that_needs_the_most_counts():
    found = memory(["pipeline"], 2)  # 8 pieces, of which two are on their way in the first stage
    assert found["weights"] == 4 * (TOKENS * 16 + 2 * LAYER)
    assert found["logits"] == 0
    assert ALONE["activations"] / 10 < found["activations"] < ALONE["activations"] / 4
    last = memory(["pipeline"], 2, tokens=4096)
    assert last["weights"] == 4 * (4096 * 16 + 2 * LAYER + 16)
    assert last["logits"] == memory([], tokens=4096)["logits"] / 8


def test_two_kinds_at_a_time():
    found = memory(["fsdp", "tensor"], 4)
    assert found["weights"] == memory(["tensor"], 2)["weights"] / 2
    assert found["activations"] == memory(["tensor"], 2)["activations"] / 2
    found = memory(["data", "pipeline"], 4)
    assert found["weights"] == memory(["pipeline"], 2)["weights"]
    assert found["gradients"] == memory(["pipeline"], 2)["gradients"] >= found["weights"]


def test_to_train_it_here_takes_all_of_them():
    config = Config.parse({"model": MODEL, "training": {"parallel": ["data"], "num_processes": 4, "batch_size": 16}})
    alone = config.replaced(training__parallel=[])
    assert memory_to_train(alone) < memory_to_train(config) < 4 * memory_to_train(alone)


def test_what_is_frozen_has_no_gradient_and_no_means():
    layers = memory([], freeze=["embedding", "layers.1-2"])
    assert (layers["weights"], layers["optimizer"]) == (ALONE["weights"], 8 * (2 * LAYER + 16))
    factors = 4 * 2 * (4 * 16 + 2 * 16 + 2 * 16)
    updates = memory([], finetune_from="another", lora_rank=2, ema_decay=0.9)
    assert updates["weights"] == ALONE["weights"] + 2 * 4 * factors
    assert updates["optimizer"] == 8 * factors
    assert memory([], finetune_from="another", lora_rank=2, freeze=["layers.0"])["optimizer"] == 6 * factors


@pytest.mark.parametrize(("parallel", "expected"), [(["data"], 8), ([], 4)])
def test_a_smaller_step_is_one_that_can_be_shared(parallel, expected):
    shared = {"parallel": parallel, "num_processes": 8, "batch_size": 16}
    config = Config.parse({"model": MODEL, "training": shared})
    cost = estimate(config.model, TOKENS, "language_modeling")
    way = same_step_within(cost, config.training, 1e12)
    assert way["batch_size"] == 8
    smaller = {"batch_size": expected, "accumulation": 16 // expected}
    limit = sum(training_memory(cost, config.training.model_copy(update=smaller)).values())
    way = same_step_within(cost, config.training, limit)
    assert (way["batch_size"], way["accumulation"]) == (expected, 16 // expected)
