"""The loop over everything: a test that takes `variant` runs for each switch of the model, in each architecture; one
that takes another name of VARIANTS runs for those of them that compute something of their own."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfmcore.config import ModelConfig, SavedModel, options
from tfmcore.config.finetuning import OF_HEADS

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tensors are small here, and other tests want the other cores


def choices(path: str) -> tuple[str, ...]:
    """What the option of that path can be."""
    return next(option.choices for option in options() if option.path == path)


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
    "attention_softcap": 1.5,
    "logit_softcap": 2.0,
    "rotary_share": 0.67,
}
DISENTANGLED = {"position": "disentangled", "attention_bias": True, "norm": "layer", "max_relative_positions": 5}
LOCAL = {"attention_window": 3, "layer_pattern": ["local", "global"]}
STRETCHED = {"rope_factor": 4.0, "rope_theta": 50.0}
TOGETHER: list[dict[str, Any]] = [
    LOCAL,
    LOCAL | {"rope_theta_local": 20.0, "rope_scaling": "linear", "rope_factor": 3.0},
    LOCAL | {"position": "alibi", "num_heads": 6},
    STRETCHED | {"rope_scaling": "linear"},
    STRETCHED | {"rope_scaling": "dynamic"},
    STRETCHED | {"rope_scaling": "llama3", "rope_low_frequency_factor": 0.5},
    STRETCHED | {"rope_scaling": "yarn", "rope_beta_fast": 4.0},
    STRETCHED | {"rope_scaling": "yarn", "rope_attention_factor": 0.7},
    {"query_key_norm": True, "num_kv_heads": 2, "attention_scale_by_layer": True},
    {
        "position": "learned",
        "norm": "layer",
        "norm_placement": "post",
        "embedding_norm": True,
        "next_sentence_head": True,
    },
    {"position": "sinusoidal", "sinusoid_layout": "halves", "attention_bias": True, "attention_output_bias": False},
    {"position": "relative_buckets", "attention_output_bias": True, "output_scale": True, "attention_softcap": 1.5},
    {"position": "alibi", "learned_positions_beside": True, "norm_placement": "parallel", "num_token_types": 2},
    {"norm_placement": "sandwich", "skip_first_norm": True, "norm": "layer", "norm_bias": True, "dropout": 0.1},
    {"attention_bias": True, "key_bias": False, "output_bias": True, "tie_embeddings": False},
    {"head_bias": False, "head_activation": "silu", "pooler": "dense_norm", "classifier_bias": False},
    {"pooling": "first", "pooler": "gelu"},
    {"pooling": "first", "pooler": "none"},
    {"convolution": 3, "convolution_groups": 2, "dropout": 0.1},
    DISENTANGLED,
    DISENTANGLED | {"key_bias": False, "position_terms": ["content_to_position"], "learned_positions_beside": True},
    DISENTANGLED | {"position_terms": ["position_to_content"], "num_kv_heads": 2, "attention_scale": 0.5},
    DISENTANGLED
    | {"num_relative_buckets": 6, "share_position_projections": True, "relative_norm": True, "norm_bias": True},
    DISENTANGLED | {"share_position_projections": True, "key_bias": False, "num_kv_heads": 2, **LOCAL},
    DISENTANGLED | {"attention_softcap": 1.5, "convolution": 5, "norm_placement": "post", "dropout": 0.1},
]
"""Switches that have their effect beside others."""


def settings() -> Iterator[dict[str, Any]]:
    """Every choice of every switch, one switch at a time, and some together."""
    yield {}
    yield from TOGETHER
    yield from ({name: number} for name, number in NUMBERS.items())
    for option in options("model"):
        if option.kind == "choice" and option.name != "architecture":
            yield from ({option.name: choice} for choice in option.choices)
        elif option.kind == "bool":
            yield from ({"norm": "layer", option.name: choice} for choice in (True, False))


def variants(architecture: str, chosen: Iterable[dict[str, Any]]) -> dict[str, ModelConfig]:
    """The valid ones of some settings in an architecture, each once, by a name that says what is not the default."""
    made = (ModelConfig(**SMALL | {"architecture": architecture} | setting) for setting in chosen)
    return {name_of(model): model for model in made if not list(model.checks())}


def name_of(model: ModelConfig) -> str:
    changed = {k: v for k, v in model.model_dump(exclude_defaults=True).items() if k not in SMALL}
    return "-".join(f"{name}={value}" for name, value in changed.items()) or "decoder"


def computed(architecture: str) -> dict[str, ModelConfig]:
    """Those that compute something of their own: an encoder-decoder has both kinds of layers and so every switch but
    the heads'; the encoder alone has these, and each kind alone the switches together and what only it can have."""
    if architecture == "encoder_decoder":
        return variants(architecture, (setting for setting in settings() if not setting.keys() & OF_HEADS))
    both = {frozenset(_switched(model).items()) for model in computed("encoder_decoder").values()}
    alone = variants(architecture, settings())
    if architecture == "decoder":
        alone = {name: model for name, model in alone.items() if not _switched(model).keys() & OF_HEADS}
    kept = variants(architecture, [{}, *TOGETHER])
    return kept | {name: model for name, model in alone.items() if frozenset(_switched(model).items()) not in both}


def _switched(model: ModelConfig) -> dict[str, str]:
    """What is not the default, beside the architecture."""
    changed = model.model_dump(exclude_defaults=True, exclude={"architecture"})
    return {name: str(value) for name, value in changed.items()}


def decoders() -> dict[str, ModelConfig]:
    """All that a decoder alone can be, but its heads, which do not write."""
    return variants("decoder", (setting for setting in settings() if not setting.keys() & OF_HEADS))


ARCHITECTURES = ("encoder", "decoder", "encoder_decoder")
VARIANTS: dict[str, Callable[[], dict[str, ModelConfig]]] = {
    "variant": lambda: {name: model for kind in ARCHITECTURES for name, model in variants(kind, settings()).items()},
    "computed": lambda: {name: model for kind in ARCHITECTURES for name, model in computed(kind).items()},
    "packable": lambda: {name: model for name, model in VARIANTS["computed"]().items() if not model.convolution},
    "writer": lambda: computed("decoder") | computed("encoder_decoder"),
    "decoder": decoders,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in VARIANTS.keys() & set(metafunc.fixturenames):
        found = VARIANTS[name]()
        metafunc.parametrize(name, found.values(), ids=found.keys())


TEXTS = ("The quick brown fox jumps over the lazy dog. 0123456789 ", "Páratlan fűrész, árvíztűrő tükörfúrógép!")
KINDS = {
    "decoder": ("decoder", "language_modeling"),
    "classifier": ("encoder", "classification"),
    "masked": ("encoder", "masked_language_modeling"),
    "translator": ("encoder_decoder", "translation"),
    "tagger": ("encoder", "token_tagging"),
    "reader": ("encoder", "question_answering"),
}
LABELS = {"classification": ["English", "Hungarian", "Klingon"], "token_tagging": ["B-animal", "I-animal", "O"]}


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
    saved = SavedModel(task=task, vocab_size=tokenizer.vocab_size, model=config, labels=LABELS.get(task, []))
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
