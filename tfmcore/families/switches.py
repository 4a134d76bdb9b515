"""Which switches of a model change what it computes, each with the value that it has when it is left empty."""

from collections.abc import Callable
from typing import Any

from tfmcore.config import SavedModel
from tfmcore.config.tasks import TOKEN_TASKS

OF_TRAINING = ("preset", "architecture", "dropout", "attention_dropout", "initialization")


def effective(saved: SavedModel) -> dict[str, Any]:
    """Every switch with its value, empty ones with what they mean."""
    model = saved.model
    terms = len(model.position_terms) if model.position == "disentangled" else 0
    windows = [model.window_of(layer) for layer in range(model.num_layers)]
    return model.model_dump() | {
        "num_kv_heads": model.kv_heads,
        "head_dim": model.width_per_head,
        "d_ff": model.ff_width,
        "num_decoder_layers": model.decoder_layers,
        "final_norm": model.has_final_norm,
        "attention_dropout": model.dropout if model.attention_dropout is None else model.attention_dropout,
        "attention_scale": model.attention_scale or (model.width_per_head * (1 + terms)) ** -0.5,
        "attention_output_bias": model.has_output_bias,
        "pooler": model.pooler_layer,
        "layer_pattern": ["global" if window is None else "local" for window in windows],
        "rope_theta_local": model.rope_theta_local or model.rope_theta,
        "rope_original_length": model.rope_original_length or model.context_length,
    }


def _rotary(saved: SavedModel) -> bool:
    return saved.model.position == "rotary"


def _stretched(saved: SavedModel) -> bool:
    return _rotary(saved) and saved.model.rope_scaling != "none"


def _stretched_from(saved: SavedModel) -> bool:
    return _stretched(saved) and saved.model.rope_scaling != "linear"


def _llama(saved: SavedModel) -> bool:
    return _rotary(saved) and saved.model.rope_scaling == "llama3"


def _yarn(saved: SavedModel) -> bool:
    return _rotary(saved) and saved.model.rope_scaling == "yarn"


def _windowed(saved: SavedModel) -> bool:
    return any(saved.model.window_of(layer) is not None for layer in range(saved.model.num_layers))


def _buckets(saved: SavedModel) -> bool:
    return saved.model.position == "relative_buckets"


def _disentangled(saved: SavedModel) -> bool:
    return saved.model.position == "disentangled"


def _convolution(saved: SavedModel) -> bool:
    return saved.model.convolution > 0


def _words(saved: SavedModel) -> bool:
    return saved.task in TOKEN_TASKS


def _masked(saved: SavedModel) -> bool:
    return saved.task == "masked_language_modeling"


def _labels(saved: SavedModel) -> bool:
    return saved.task not in TOKEN_TASKS


def _dense_head(saved: SavedModel) -> bool:
    return _masked(saved) or (_labels(saved) and saved.model.pooler_layer == "dense_norm")


MATTERS: dict[str, Callable[[SavedModel], bool]] = {
    "num_decoder_layers": lambda saved: saved.model.architecture == "encoder_decoder",
    "context_length": lambda saved: saved.model.has_learned_positions,
    "norm_bias": lambda saved: saved.model.norm == "layer",
    "key_bias": lambda saved: saved.model.attention_bias,
    "attention_window": _windowed,
    "layer_pattern": _windowed,
    "learned_positions_beside": lambda saved: saved.model.position != "learned",
    "sinusoid_layout": lambda saved: saved.model.position == "sinusoidal",
    "rotary_share": _rotary,
    "rope_theta": _rotary,
    "rope_theta_local": lambda saved: _rotary(saved) and _windowed(saved),
    "rope_scaling": _rotary,
    "rope_factor": _stretched,
    "rope_original_length": _stretched_from,
    "rope_low_frequency_factor": _llama,
    "rope_high_frequency_factor": _llama,
    "rope_beta_fast": _yarn,
    "rope_beta_slow": _yarn,
    "rope_attention_factor": _yarn,
    "num_position_buckets": _buckets,
    "max_position_distance": _buckets,
    "max_relative_positions": _disentangled,
    "num_relative_buckets": _disentangled,
    "position_terms": _disentangled,
    "share_position_projections": _disentangled,
    "relative_norm": _disentangled,
    "convolution_activation": _convolution,
    "convolution_groups": _convolution,
    "tie_embeddings": _words,
    "output_scale": _words,
    "output_bias": lambda saved: _words(saved) and not _masked(saved),
    "logit_softcap": _words,
    "head_activation": _dense_head,
    "head_bias": _dense_head,
    "next_sentence_head": _masked,
    "pooling": lambda saved: saved.task == "classification",
    "pooler": lambda saved: _labels(saved) and (saved.task == "classification" or _dense_head(saved)),
    "classifier_bias": _labels,
}
"""When a switch changes anything; those that are not here always do."""


def computing(saved: SavedModel) -> dict[str, Any]:
    """The switches that change what this model computes, with their values."""
    return {
        name: value
        for name, value in effective(saved).items()
        if name not in OF_TRAINING and (name not in MATTERS or MATTERS[name](saved))
    }
