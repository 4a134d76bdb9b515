"""The loop over everything: a test that takes `variant` runs for each switch of the model, in each architecture."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfmcore.config import ModelConfig, SavedModel, options

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tensors are small here, and other tests want the other cores

SMALL = {"d_model": 24, "num_layers": 2, "num_heads": 4, "context_length": 12}
NUMBERS = {
    "num_decoder_layers": 3,
    "num_kv_heads": 2,
    "head_dim": 10,
    "d_ff": 20,
    "dropout": 0.1,
    "attention_dropout": 0.2,
    "norm_eps": 1e-3,
    "rope_theta": 500.0,
    "attention_window": 3,
    "num_token_types": 2,
    "attention_scale": 1.0,
}


def variants() -> Iterator[ModelConfig]:
    """Every choice of every switch, one switch at a time, for each architecture."""
    switches = {option.name: option for option in options("model")}
    for architecture in switches["architecture"].choices:
        base = SMALL | {"architecture": architecture}
        yield ModelConfig(**base)
        for name, option in switches.items():
            if option.kind == "choice" and name != "architecture":
                yield from (ModelConfig(**base, **{name: choice}) for choice in option.choices)
            elif option.kind == "bool":
                yield from (ModelConfig(**base, norm="layer", **{name: choice}) for choice in (True, False))
        yield from (ModelConfig(**base, **{name: number}) for name, number in NUMBERS.items())


def name_of(model: ModelConfig) -> str:
    changed = {k: v for k, v in model.model_dump(exclude_defaults=True).items() if k not in SMALL}
    return "-".join(f"{name}={value}" for name, value in changed.items()) or "decoder"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        unique = {name_of(model): model for model in variants()}
        metafunc.parametrize("variant", unique.values(), ids=unique.keys())


TEXTS = ("The quick brown fox jumps over the lazy dog. 0123456789 ", "Páratlan fűrész, árvíztűrő tükörfúrógép!")
KINDS = {
    "decoder": ("decoder", "language_modeling"),
    "classifier": ("encoder", "classification"),
    "masked": ("encoder", "masked_language_modeling"),
    "translator": ("encoder_decoder", "translation"),
}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a model folder of one of KINDS with random weights and a tokenizer of characters: the same one each time
    it is asked for, unless fields of its ModelConfig are given."""
    from tfmcore.config import TokenizerConfig
    from tfmcore.data.tokenizer_training import train_tokenizer

    made: dict[object, Path] = {}

    def make(kind: str, **fields: object) -> Path:
        if (key := (kind, *sorted(fields.items()))) not in made:
            made[key] = tmp_path_factory.mktemp(kind)
            write_model(made[key], kind, train_tokenizer(TokenizerConfig(kind="char"), TEXTS), **fields)
        return made[key]

    return make


def write_model(folder: Path, kind: str, tokenizer: Any, seed: int = 0, **fields: object) -> None:
    """A model with random weights, large enough for its answers to differ; greedily it writes without an end."""
    import torch

    from tfmcore.models import build, save_weights

    architecture, task = KINDS[kind]
    config = ModelConfig(architecture=architecture, **{"d_model": 32, "num_layers": 2, "context_length": 64} | fields)
    labels = ["English", "Hungarian", "Klingon"] if task == "classification" else []
    saved = SavedModel(task=task, vocab_size=tokenizer.vocab_size, model=config, labels=labels)
    torch.manual_seed(seed)
    model = build(saved)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0.0, 0.3)
            if len(weight) == saved.vocab_size:
                weight[tokenizer.eos_id] = 0.0  # never the likeliest
    saved.write(folder)
    save_weights(model, folder / "model.safetensors")
    tokenizer.save(folder / "tokenizer.json")
