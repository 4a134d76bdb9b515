"""The estimate agrees with the real models: parameters exactly, memory and compute closely."""

import sys
from dataclasses import replace
from subprocess import run
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tfmcore.config import (
    SOURCES,
    TASKS,
    Config,
    DataConfig,
    ModelConfig,
    SavedModel,
    TrainingConfig,
    find_preset,
    presets,
)
from tfmcore.config import memory as memory_module
from tfmcore.config.estimate import estimate, likely_num_labels, likely_vocab_size
from tfmcore.config.memory import MOST_LOGITS, training_memory
from tfmcore.models import Model, build
from tfmcore.models.weights import skeleton

TASK = {"encoder": "masked_language_modeling", "decoder": "language_modeling", "encoder_decoder": "translation"}


def make(config: ModelConfig, task: str | None = None, labels: int = 0, vocab_size: int = 31) -> Model:
    names = [str(i) for i in range(labels)]
    return build(SavedModel(task=task or TASK[config.architecture], vocab_size=vocab_size, model=config, labels=names))


def inputs(config: ModelConfig, batch_size: int, length: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(0, 31, (batch_size, length))
    return {"input_ids": ids} | ({"decoder_input_ids": ids} if config.architecture == "encoder_decoder" else {})


def test_parameters_of_every_switch(variant: ModelConfig) -> None:
    for task, facts in TASKS.items():
        if variant.architecture in facts.architectures:
            assert estimate(variant, 31, task, 5).total == make(variant, task, 5).num_parameters()


@pytest.mark.parametrize(
    ("kind", "limit", "tokens"), [("char", 2048, 100), ("char", 50, 50), ("byte", 2048, 263), ("bpe", 2048, 2048)]
)
def test_the_likely_vocabulary(kind: str, limit: int, tokens: int) -> None:
    assert likely_vocab_size(Config.parse({"tokenizer": {"kind": kind, "vocab_size": limit}}).tokenizer) == tokens


@pytest.mark.parametrize("name", presets())
def test_parameters_of_every_preset(name: str) -> None:
    config = find_preset(name).config()
    saved = SavedModel(task=config.data.task, vocab_size=100, model=config.model, labels=["a", "b", "c"])
    guess = estimate(config.model, 100, config.data.task, 3)
    assert guess.total == skeleton(saved).num_parameters()
    assert all(number > 0 for number in guess.parameters.values() if number)
    assert sum(guess.flops_per_token.values()) > 0


def test_activations_of_every_switch(computed: ModelConfig) -> None:
    config = computed.model_copy(update={"d_model": 48, "context_length": 40})
    model, saved = make(config).train(), {}
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.features(**inputs(config, 4, 40))
    measured = sum(size for size, _ in saved.values())
    training = TrainingConfig(batch_size=4, device="cpu")
    guess = training_memory(estimate(config, 31, TASK[config.architecture]), training, 40)["activations"]
    assert guess == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize("architecture", TASK)
def test_flops(architecture: Any) -> None:
    config = ModelConfig(architecture=architecture, d_model=32, num_layers=2, context_length=16)
    model = make(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs(config, 1, 16))
    matrices = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "attention" not in str(op))
    guess = sum(estimate(config, 31, TASK[architecture]).flops_per_token.values()) * 16
    attention = guess - matrices
    every_pair = 4 * 16 * 16 * 32 * 2  # scores and values, each query with each key, in two layers
    pairs = {"encoder": 1.0, "decoder": 17 / 32, "encoder_decoder": 1.0 + 17 / 32 + 1.0}
    assert attention == pytest.approx(pairs[architecture] * every_pair, rel=1e-3)


def test_memory_follows_the_switches_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    guess = estimate(ModelConfig(), 1000, "language_modeling")

    def memory(**training: Any) -> dict[str, int]:
        return training_memory(guess, TrainingConfig(**{"batch_size": 8} | training))

    plain = memory()
    assert plain["weights"] == plain["optimizer"] // 2 == 4 * guess.total
    assert plain["gradients"] == 0, "when the most is needed, there are none yet"
    assert memory(accumulation=2)["gradients"] == plain["weights"]
    assert memory(batch_size=16)["activations"] == 2 * plain["activations"]
    monkeypatch.setattr(memory_module, "has_bf16", lambda: True)
    assert memory(precision="bf16")["activations"] < plain["activations"]
    monkeypatch.setattr(memory_module, "has_bf16", lambda: False)
    assert memory(precision="bf16") == plain, "a processor without it computes in fp32"
    assert memory(precision="bf16", device="cuda")["activations"] < memory(device="cuda")["activations"]
    assert memory(precision="fp16")["activations"] < plain["activations"]
    assert memory(gradient_checkpointing=True)["activations"] < plain["activations"] / 2
    assert memory(optimizer="muon")["optimizer"] < plain["optimizer"]
    assert memory(ema_decay=0.9)["weights"] == 2 * plain["weights"]
    classifier = training_memory(estimate(ModelConfig(), 1000, "classification"), TrainingConfig())
    assert classifier["logits"] == 0


def test_logits_are_never_more_than_so_many_at_once() -> None:
    guess = estimate(ModelConfig(d_model=16), 50_000, "language_modeling")
    for device, most in MOST_LOGITS.items():
        few, many, more = (
            training_memory(guess, TrainingConfig(batch_size=size, device=device))["logits"] for size in (1, 1024, 2048)
        )
        assert few < many < 4 * 4 * most
        assert many == pytest.approx(more, rel=0.1)


def test_a_window_saves_compute() -> None:
    wide = estimate(ModelConfig(context_length=64), 50, "language_modeling")
    narrow = estimate(ModelConfig(context_length=64, attention_window=4), 50, "language_modeling")
    assert narrow.flops_per_token["attention"] < wide.flops_per_token["attention"]
    assert narrow.parameters == wide.parameters


def test_labels_are_counted_of_any_source_of_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "brackets", replace(SOURCES["brackets"], options=("languages",)))
    data = DataConfig(source="brackets", task="classification", languages=["de", "en", "fr"])
    assert likely_num_labels(data) == 3


def test_it_loads_no_torch() -> None:
    code = "import sys; from tfmcore.config.estimate import estimate; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
