"""How the options stand in their forms: which come first, in which groups the rest, and which matter now."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import SOURCES, Option, options

FIRST = {
    "data": (
        "source", "path", "target_path", "source_language", "target_language", "languages",
        "min_length", "max_length", "task", "columns",
    ),
}  # fmt: skip
"""What a form shows unfolded; for the other sections, the essential options."""

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "model": {
        "Size": ("num_decoder_layers", "num_kv_heads", "head_dim", "d_ff"),
        "Attention": ("attention_window", "attention_scale", "attention_dropout", "attention_bias"),
        "Positions": ("position", "rope_theta", "num_position_buckets", "max_position_distance"),
        "Feed-forward": ("activation", "feed_forward_bias"),
        "Norm": ("norm", "norm_placement", "final_norm", "norm_eps", "norm_bias"),
        "Embeddings and output": ("tie_embeddings", "embedding_norm", "embedding_scale", "num_token_types", "pooling"),
        "Start": ("initialization",),
    },
    "training": {
        "Learning rate": ("warmup_steps", "minimum_learning_rate"),
        "Optimizer": ("optimizer", "weight_decay", "beta1", "beta2", "epsilon", "gradient_clip", "label_smoothing"),
        "Speed and memory": ("accumulation", "precision", "gradient_checkpointing", "device", "threads"),
        "While it trains": (
            "eval_every", "eval_batches", "save_every", "sample_every", "sample_prompts", "early_stopping",
        ),
        "Chance": ("seed",),
    },
    "data": {"": ("header", "validation_path", "validation_fraction", "max_examples", "seed")},
    "tokenizer": {"": ("lowercase", "min_frequency")},
}  # fmt: skip

HIDDEN = ("model.preset",)
"""Set by other means than a field."""

MATTERS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "model.num_decoder_layers": ("model.architecture", ("encoder_decoder",)),
    "model.rope_theta": ("model.position", ("rotary",)),
    "model.num_position_buckets": ("model.position", ("relative_buckets",)),
    "model.max_position_distance": ("model.position", ("relative_buckets",)),
    "model.norm_bias": ("model.norm", ("layer",)),
    "model.pooling": ("data.task", ("classification",)),
    "training.minimum_learning_rate": ("training.schedule", ("linear", "cosine")),
    "training.sample_prompts": ("data.task", ("language_modeling", "masked_language_modeling", "translation")),
    "tokenizer.path": ("tokenizer.kind", ("file",)),
    "tokenizer.vocab_size": ("tokenizer.kind", ("word", "bpe", "byte_bpe", "wordpiece", "unigram", "char")),
    "tokenizer.min_frequency": ("tokenizer.kind", ("word", "bpe", "byte_bpe", "wordpiece", "char")),
    "data.target_path": ("data.task", ("translation",)),
}
"""An option that matters only while another has one of some values."""

OF_EVERY_SOURCE = ("source", "task", "validation_fraction", "seed")


def first(section: str) -> list[Option]:
    """The options that are always in sight, in their order."""
    known = {option.name: option for option in options(section) if option.path not in HIDDEN}
    if section in FIRST:
        return [known[name] for name in FIRST[section]]
    folded = {name for names in GROUPS[section].values() for name in names}
    return [option for name, option in known.items() if name not in folded]


def rest(section: str) -> dict[str, list[Option]]:
    """The other options by the heading of their group."""
    known = {option.name: option for option in options(section)}
    return {heading: [known[name] for name in names] for heading, names in GROUPS[section].items()}


def matters(option: Option, values: Mapping[str, Any]) -> bool:
    """Whether the option has any effect beside the others' `values` (by path)."""
    if option.section == "data" and option.name not in OF_EVERY_SOURCE:
        source = SOURCES.get(values["data.source"])
        if source is None or option.name not in source.options:
            return False
    other, wanted = MATTERS.get(option.path, ("", ()))
    return not other or values[other] in wanted
