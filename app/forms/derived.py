"""What an empty option stands for, as a value to step from and as words for its field."""

import math
from typing import Any

from app.forms.numbers import number_text
from tfmcore.config import Config

WORDS = {
    "model.attention_window": "all tokens",
    "data.max_examples": "all",
    "model.attention_softcap": "none",
    "model.logit_softcap": "none",
    "model.num_relative_buckets": "each its own",
    "training.threads": "all cores",
    "training.eval_batches": "all",
    "training.early_stopping": "never",
    "training.parallel": "one process",
    "training.parallel_sizes": "evenly",
}
"""Where there is no value to step from."""


def derived(config: Config, path: str) -> tuple[Any, str]:
    """(value or None, words) for the option `path`, beside the other values of `config`."""
    model = config.model
    values: dict[str, Any] = {
        "model.num_decoder_layers": model.decoder_layers,
        "model.num_kv_heads": model.kv_heads,
        "model.head_dim": model.width_per_head,
        "model.d_ff": model.ff_width,
        "model.attention_dropout": model.dropout,
        "model.attention_scale": round(model.width_per_head**-0.5, 4),
        "model.final_norm": model.has_final_norm,
        "model.attention_output_bias": model.has_output_bias,
        "model.rope_theta_local": model.rope_theta,
        "model.rope_original_length": model.context_length,
        "model.rope_attention_factor": round(0.1 * math.log(model.rope_factor) + 1, 4),
    }
    value = values.get(path)
    if isinstance(value, bool):
        return value, f"automatic: {'yes' if value else 'no'}"
    return value, WORDS[path] if value is None else f"empty: {number_text(value)}"
