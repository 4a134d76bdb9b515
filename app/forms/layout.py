"""How the options stand in their forms: which come first, in which groups the rest, and which matter now."""

from collections.abc import Callable, Mapping
from typing import Any

from tfmcore.config import SOURCES, TASKS, Option, options
from tfmcore.config.tasks import LABEL_TASKS, PAIR_TASKS, TOKEN_TASKS

FIRST = {
    "data": (
        "source", "path", "target_path", "source_language", "target_language", "languages",
        "min_length", "max_length", "task", "columns", "separator", "prefix",
    ),
}  # fmt: skip
"""What a form shows unfolded; for the other sections, the essential options."""

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "model": {
        "Size": ("num_decoder_layers", "num_kv_heads", "head_dim", "d_ff"),
        "Attention": (
            "attention_window", "layer_pattern", "query_key_norm", "attention_scale", "attention_scale_by_layer",
            "attention_softcap", "attention_dropout", "attention_bias", "attention_output_bias", "key_bias",
        ),
        "Positions": (
            "position", "sinusoid_layout", "rotary_share", "rope_theta", "rope_theta_local", "rope_scaling",
            "rope_factor", "rope_original_length", "rope_low_frequency_factor", "rope_high_frequency_factor",
            "rope_beta_fast", "rope_beta_slow", "rope_attention_factor", "num_position_buckets",
            "max_position_distance", "max_relative_positions", "num_relative_buckets", "position_terms",
            "share_position_projections", "relative_norm", "learned_positions_beside",
            "convolution", "convolution_activation", "convolution_groups",
        ),
        "Feed-forward": ("activation", "feed_forward_bias"),
        "Norm": ("norm", "norm_placement", "skip_first_norm", "final_norm", "norm_eps", "norm_bias"),
        "Embeddings": ("embedding_norm", "embedding_scale", "num_token_types"),
        "Output": (
            "tie_embeddings", "output_scale", "output_bias", "logit_softcap", "head_activation", "head_bias",
            "next_sentence_head", "pooling", "pooler", "classifier_bias",
        ),
        "Initialisation": ("initialization",),
    },
    "training": {
        "Fine-tuning": (
            "finetune_from", "branch_from", "freeze", "layer_decay", "lora_rank", "lora_alpha", "lora_dropout",
            "lora_targets",
        ),
        "Learning rate": ("warmup_steps", "minimum_learning_rate", "decay_share"),
        "Optimizer": (
            "optimizer", "momentum", "weight_decay", "beta1", "beta2", "epsilon", "gradient_clip", "label_smoothing",
            "class_weights", "ema_decay",
        ),
        "Speed and memory": (
            "accumulation", "precision", "gradient_checkpointing", "compile", "device", "threads", "shares",
        ),
        "Several devices": ("parallel", "num_processes", "parallel_sizes"),
        "Monitoring": (
            "eval_every", "eval_at_start", "eval_batches", "save_every", "keep_every", "sample_every", "sample_prompts",
            "health_every", "tensorboard", "best_by", "early_stopping",
        ),
        "Randomness": ("seed",),
    },
}  # fmt: skip
"""The folded options by heading; those that stand in no group come after them, without a heading."""

HIDDEN = ("model.preset",)
"""Set by other means than a field."""


def one_of(*values: Any) -> Callable[[Any], bool]:
    """Whether the other option has one of these values."""
    return values.__contains__


def none_of(*values: Any) -> Callable[[Any], bool]:
    """Whether it has another value than these."""
    return lambda value: value not in values


MATTERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "model.num_decoder_layers": ("model.architecture", one_of("encoder_decoder")),
    "model.layer_pattern": ("model.attention_window", bool),
    "model.key_bias": ("model.attention_bias", bool),
    "model.sinusoid_layout": ("model.position", one_of("sinusoidal")),
    "model.rotary_share": ("model.position", one_of("rotary")),
    "model.rope_theta": ("model.position", one_of("rotary")),
    "model.rope_theta_local": ("model.rope_theta", bool),
    "model.rope_scaling": ("model.position", one_of("rotary")),
    "model.rope_factor": ("model.rope_scaling", one_of("linear", "dynamic", "llama3", "yarn")),
    "model.rope_original_length": ("model.rope_scaling", one_of("dynamic", "llama3", "yarn")),
    "model.rope_low_frequency_factor": ("model.rope_scaling", one_of("llama3")),
    "model.rope_high_frequency_factor": ("model.rope_scaling", one_of("llama3")),
    "model.rope_beta_fast": ("model.rope_scaling", one_of("yarn")),
    "model.rope_beta_slow": ("model.rope_scaling", one_of("yarn")),
    "model.rope_attention_factor": ("model.rope_scaling", one_of("yarn")),
    "model.num_position_buckets": ("model.position", one_of("relative_buckets")),
    "model.max_position_distance": ("model.position", one_of("relative_buckets")),
    "model.max_relative_positions": ("model.position", one_of("disentangled")),
    "model.num_relative_buckets": ("model.position", one_of("disentangled")),
    "model.position_terms": ("model.position", one_of("disentangled")),
    "model.share_position_projections": ("model.position", one_of("disentangled")),
    "model.relative_norm": ("model.position", one_of("disentangled")),
    "model.convolution": ("model.architecture", one_of("encoder", "encoder_decoder")),
    "model.convolution_activation": ("model.convolution", bool),
    "model.convolution_groups": ("model.convolution", bool),
    "model.norm_bias": ("model.norm", one_of("layer")),
    "model.head_activation": ("model.architecture", one_of("encoder")),
    "model.head_bias": ("model.architecture", one_of("encoder")),
    "model.next_sentence_head": ("data.task", one_of("masked_language_modeling")),
    "model.pooling": ("data.task", one_of("classification")),
    "model.pooler": ("data.task", none_of(*TOKEN_TASKS)),
    "model.classifier_bias": ("data.task", none_of(*TOKEN_TASKS)),
    "training.minimum_learning_rate": ("training.schedule", one_of("linear", "cosine", "wsd")),
    "training.decay_share": ("training.schedule", one_of("wsd")),
    "training.class_weights": ("data.task", one_of(*LABEL_TASKS)),
    "training.momentum": ("training.optimizer", one_of("muon")),
    "training.num_processes": ("training.parallel", bool),
    "training.parallel_sizes": ("training.parallel", lambda kinds: len(kinds) > 1),
    "training.freeze": ("training.finetune_from", bool),
    "training.layer_decay": ("training.finetune_from", bool),
    "training.lora_rank": ("training.finetune_from", bool),
    "training.lora_alpha": ("training.lora_rank", bool),
    "training.lora_dropout": ("training.lora_rank", bool),
    "training.lora_targets": ("training.lora_rank", bool),
    "training.sample_prompts": (
        "data.task", one_of("language_modeling", "masked_language_modeling", "translation", "token_tagging")
    ),
    "tokenizer.path": ("tokenizer.kind", one_of("file")),
    "tokenizer.vocab_size": ("tokenizer.kind", one_of("word", "bpe", "byte_bpe", "wordpiece", "unigram", "char")),
    "tokenizer.min_frequency": ("tokenizer.kind", one_of("word", "bpe", "byte_bpe", "wordpiece", "char")),
    "data.target_path": ("data.task", one_of(*PAIR_TASKS)),
    "data.separator": ("data.source", one_of("file")),
}  # fmt: skip
"""An option that matters only while another one matters and has a value that the test holds for."""

OF_EVERY_SOURCE = ("source", "task", "validation_fraction", "seed")


def first(section: str) -> list[Option]:
    """The options that are always in sight, in their order."""
    known = {option.name: option for option in options(section) if option.path not in HIDDEN}
    if section in FIRST:
        return [known[name] for name in FIRST[section]]
    return [option for option in known.values() if option.essential]


def rest(section: str) -> dict[str, list[Option]]:
    """The other options by the heading of their group."""
    known = {option.name: option for option in options(section) if option.path not in HIDDEN}
    groups = {heading: [known[name] for name in names] for heading, names in GROUPS.get(section, {}).items()}
    placed = [*first(section), *(option for members in groups.values() for option in members)]
    others = [option for option in known.values() if option not in placed]
    return groups | ({"": others} if others else {})


def matters(option: Option, values: Mapping[str, Any]) -> bool:
    """Whether the option has any effect beside the others' `values` (by path)."""
    if option.section == "data" and option.name not in OF_EVERY_SOURCE:
        source, task = SOURCES.get(values["data.source"]), TASKS.get(values["data.task"])
        of_source = source is not None and option.name in source.options
        of_task = task is not None and option.name in task.options
        if not of_source and not of_task:
            return False
    return _matters(option.path, values)


def _matters(path: str, values: Mapping[str, Any]) -> bool:
    other, holds = MATTERS.get(path, ("", bool))
    return not other or (holds(values[other]) and _matters(other, values))
