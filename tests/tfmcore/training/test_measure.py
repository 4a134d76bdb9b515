"""Trying a batch measures what a step costs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tfmcore.config import SOURCES, TASKS, Config, SavedModel, UserError, find_preset, presets
from tfmcore.config.estimate import estimate
from tfmcore.config.memory import training_memory
from tfmcore.training.measure import try_batch
from tfmcore.training.peak_memory import peak_memory

SMALL = ["model.d_model=16", "model.num_heads=2", "model.num_layers=1", "training.batch_size=2", "training.threads=1"]


@pytest.mark.parametrize("name", [name for name, preset in presets().items() if not preset.reading])
def test_every_preset_can_be_tried(name):
    config = presets()[name].config(SMALL)
    before = torch.get_rng_state()
    trial = try_batch(config, vocab_size=300, steps=1)
    both = 2 if config.model.architecture == "encoder_decoder" else 1
    assert trial.tokens == 2 * config.model.context_length * both
    assert trial.seconds > 0
    assert trial.parameters > 300 * 16
    assert torch.equal(torch.get_rng_state(), before)


def test_two_tasks_at_once_can_be_tried():
    more = ["data.next_sentence_prediction=true", "model.next_sentence_head=true"]
    assert try_batch(find_preset("nano-encoder").config([*SMALL, *more]), 300, steps=1).seconds > 0


@pytest.mark.parametrize("option", ['parallel=["data"]', 'parallel=["pipeline"]', 'freeze=["layers.1"]'])
def test_one_process_tries_what_several_share_and_what_is_frozen_in_part(option):
    config = find_preset("nano-decoder").config([*SMALL, "model.num_layers=2", f"training.{option}"])
    assert try_batch(config, 300, steps=1).tokens == 2 * config.model.context_length


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("vocab_size", [0, 300])
def test_every_task_can_be_tried(task, vocab_size):
    source = next(name for name, facts in SOURCES.items() if task in facts.tasks)
    data = {"data.task": task, "data.source": source, "data.max_examples": 40, "tokenizer.vocab_size": 300}
    overrides = [f"{name}={value}" for name, value in data.items()]
    for architecture in TASKS[task].architectures:
        config = find_preset("nano-decoder").config([*SMALL, *overrides, f"model.architecture={architecture}"])
        trial = try_batch(config, vocab_size, steps=1)
        assert trial.tokens > 0
        assert trial.parameters > 0


def test_memory_holds_at_least_what_is_kept():
    config = Config.parse({"model": {"d_model": 256}, "training": {"batch_size": 4, "threads": 1}})
    trial = try_batch(config, vocab_size=2000, steps=1)
    kept = 4 + 8  # bytes of a weight and of what the optimizer keeps of it, which are there throughout the second step
    assert kept * trial.parameters < trial.num_bytes < 64 * trial.parameters


def test_the_peak_is_measured_not_what_is_left():
    with peak_memory(torch.device("cpu")) as memory:
        torch.ones(25_000_000)
        torch.ones(1_000_000)
    assert memory.num_bytes == 100_000_000


def test_what_a_process_has_kept_is_neither_counted_nor_taken_away():
    """Of an earlier trial, in threads as in this one; so a batch needs as much however often it is tried."""
    config = Config.parse({"model": {"context_length": 128}, "training": {"threads": 1, "batch_size": 20}})
    needed = [try_batch(config, 300, steps=1).num_bytes for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        needed += threads.map(lambda _: try_batch(config, 300, steps=1).num_bytes, range(2))
    assert max(needed) <= 1.01 * min(needed)


SIZED = [
    "model.d_model=192", "model.num_heads=6", "model.num_layers=4", "training.threads=1", "training.device=cpu",
]  # fmt: skip
CONFIGS = {
    "decoder": ("nano-decoder", ["model.context_length=128", "training.batch_size=8"], 4000),
    "checkpointed": (
        "nano-decoder",
        ["model.context_length=128", "training.batch_size=16", "training.gradient_checkpointing=true"],
        4000,
    ),
    "bf16 with dropout": (
        "bert-mini",
        ["model.context_length=128", "training.batch_size=8", "training.precision=bf16", "model.dropout=0.1"],
        4000,
    ),
    "dropout": (
        "nano-decoder",
        ["model.context_length=128", "training.batch_size=16", "model.dropout=0.1"],
        500,
    ),
    "few weights of attention with dropout": (
        "nano-decoder",
        ["model.context_length=128", "training.batch_size=8", "model.dropout=0.1"],
        500,
    ),
    "bf16 with few weights of attention": (
        "nano-decoder",
        ["model.context_length=128", "training.batch_size=8", "training.precision=bf16", "model.dropout=0.0"],
        500,
    ),
    "large vocabulary": ("nano-seq2seq", ["model.context_length=64", "training.batch_size=6"], 50_257),
    "large vocabulary that is only read": (
        "tell-languages",
        ["model.num_layers=1", "model.context_length=16", "training.batch_size=1"],
        50_257,
    ),
    "mostly logits, piece by piece": (
        "nano-seq2seq",
        [
            "model.d_model=64",
            "model.num_heads=2",
            "model.num_layers=1",
            "model.context_length=128",
            "training.batch_size=5",
            "training.gradient_checkpointing=true",
        ],
        32_000,
    ),
    "mostly weights": (
        "nano-decoder",
        ["model.d_model=512", "model.num_heads=8", "model.context_length=32", "training.batch_size=1"],
        2000,
    ),
    "two shares": ("nano-decoder", ["model.context_length=64", "training.batch_size=4", "training.threads=2"], 4000),
    "two shares, piece by piece": (
        "nano-seq2seq",
        ["model.context_length=64", "training.batch_size=16", "training.threads=2"],
        40_000,
    ),
}


UPDATES = ["model.d_model=512", "model.num_heads=8", "training.finetune_from=another", "training.lora_rank=8"]
CONFIGS |= {
    "low-rank updates": ("bert-mini", [*UPDATES, "model.context_length=64", "training.batch_size=4"], 2000),
    "low-rank updates with dropout": (
        "nano-decoder",
        ["model.context_length=128", "training.batch_size=8", "training.lora_dropout=0.1", *UPDATES[2:],
         'training.lora_targets=["attention", "feed_forward"]'],
        500,
    ),
    "frozen layers": (
        "nano-decoder",
        [*UPDATES[:2], "model.context_length=32", 'training.freeze=["layers.0-1", "layers.3"]'],
        2000,
    ),
}  # fmt: skip


NARROW = ["model.d_model=64", "model.num_heads=4", "training.batch_size=4", "model.context_length=256"]
CONFIGS |= {
    "soft-capped logits": (
        "nano-decoder",
        [*NARROW, "model.num_layers=2", "model.logit_softcap=30.0"],
        8000,
    ),
    "frozen from the beginning": (
        "nano-decoder",
        [*NARROW, "model.num_layers=6", 'training.freeze=["embedding", "layers.0-4"]'],
        300,
    ),
    "weights of attention piece by piece": (
        "nano-decoder",
        [*NARROW, "model.num_layers=1", "model.dropout=0.1", "training.batch_size=8"],
        50,
    ),
    "learned biases, layers computed twice": (
        "nano-seq2seq",
        [*NARROW, "model.num_layers=1", "model.position=relative_buckets", "training.gradient_checkpointing=true"],
        50,
    ),
    "biases that do not learn": (
        "nano-decoder",
        [*NARROW, "model.position=relative_buckets", "training.finetune_from=another", "training.lora_rank=4"],
        50,
    ),
    "a shared matrix whose gradients are accumulated": (
        "nano-decoder",
        [*NARROW[:2], "model.context_length=16", "training.batch_size=2", "training.accumulation=2"],
        30_000,
    ),
}


@pytest.mark.parametrize(("preset", "overrides", "vocab_size"), CONFIGS.values(), ids=CONFIGS)
def test_the_estimate_is_within_a_fifth_of_what_is_measured(preset, overrides, vocab_size):
    config = find_preset(preset).config([*SIZED, *overrides])
    expected = training_memory(estimate(config.model, vocab_size, config.data.task), config.training)
    trial = try_batch(config, vocab_size, steps=1)
    assert sum(expected.values()) == pytest.approx(trial.num_bytes, rel=0.2)


def test_a_new_head_learns_beside_low_rank_updates(tmp_path):
    config = find_preset("nano-encoder").config([*SIZED, "model.context_length=16", "model.tie_embeddings=false"])
    SavedModel(task="classification", vocab_size=20_000, model=config.model, labels=["a", "b"]).write(tmp_path)
    config = config.replaced(training__finetune_from=str(tmp_path), training__lora_rank=2, training__batch_size=1)
    expected = training_memory(estimate(config.model, 20_000, config.data.task), config.training)
    assert expected["optimizer"] > 8 * 20_000 * 192
    assert sum(expected.values()) == pytest.approx(try_batch(config, 20_000, steps=1).num_bytes, rel=0.2)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no cuda here"):
        try_batch(Config.parse({"training": {"device": "cuda"}}), 100)


def test_gradient_checkpointing_needs_at_most_half_the_memory_for_activations():
    """Of eight layers; the weights and the optimizer, which both have, are taken away."""
    shape = ["model.num_layers=8", "model.d_model=128", "model.context_length=128", "training.batch_size=16"]
    config = find_preset("nano-decoder").config([*shape, "training.threads=1"])
    needed = {}
    for on in (False, True):
        trial = try_batch(config.replaced(training__gradient_checkpointing=on), 64, steps=1)
        needed[on] = trial.num_bytes - 3 * 4 * trial.parameters
    assert needed[True] < needed[False] / 2
