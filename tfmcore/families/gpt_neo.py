"""GPT-Neo: the open weights of GPT-3's design. Every other layer sees a window, and scores are not scaled."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig, UserError
from tfmcore.families.family import ACTIVATIONS, Family, Key, Rule, choice, rule
from tfmcore.families.gpt import embeddings, heads, layers
from tfmcore.families.storage import SAME, split
from tfmcore.families.windows import MAX_LAYERS, fields, pattern_of, read_count, widest

WINDOW = 256
REACHES = ("global", "local")
ALTERNATING: Any = [[["global", "local"], 12]]


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs = "decoder.layers.{}.self_attention.", "transformer.h.{}.attn.attention."
    width = model.num_heads * model.width_per_head
    own = [f"{theirs}{name}_proj" for name in ("q", "k", "v")]
    return [
        rule(ours + "query_key_value", *own, storage=split(width, width, width)),
        rule(ours + "output", theirs + "out_proj"),
        *embeddings("wte", "wpe"),
        *layers(SAME),
    ]


def read_layers(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """`attention_types` are patterns, each with how often it is repeated; their layers are as many as the model has."""
    pattern, types = list[str](), theirs.get("attention_types") or ALTERNATING
    try:
        for kinds, times in types:
            pattern += list(kinds)[:MAX_LAYERS] * min(times, MAX_LAYERS)
            if len(pattern) > MAX_LAYERS:
                break
    except (TypeError, ValueError):
        raise UserError("attention_types must be a list of patterns, each with its number of repetitions") from None
    if len(pattern) != read_count(theirs, "num_layers", 24) or any(kind not in REACHES for kind in pattern):
        raise UserError("attention_types does not give `global` or `local` for each of the num_layers layers")
    return fields(pattern, theirs.get("window_size", WINDOW))


def write_layers(model: ModelConfig) -> dict[str, Any]:
    return {
        "attention_types": [[pattern_of(model), 1]],
        "window_size": widest(model) or WINDOW,
        "embed_dropout": model.dropout,
    }


GPT_NEO = Family(
    name="gpt-neo",
    title="GPT-Neo",
    paper="https://doi.org/10.5281/zenodo.5297715",
    model_type="gpt_neo",
    architecture="decoder",
    switches={
        "norm": "layer",
        "norm_bias": True,
        "position": "learned",
        "attention_scale": 1.0,
        "attention_bias": False,
        "attention_output_bias": True,
        "feed_forward_bias": True,
    },
    keys=(
        Key("vocab_size", "vocab_size", 50257),
        Key("max_position_embeddings", "context_length", 2048),
        Key("hidden_size", "d_model", 2048),
        Key("num_layers", "num_layers", 24),
        Key("num_heads", "num_heads", 16),
        Key("intermediate_size", "d_ff", None),
        choice("activation_function", "activation", ACTIVATIONS, "gelu_new"),
        Key("resid_dropout", "dropout", 0.0),
        Key("attention_dropout", "attention_dropout", 0.0),
        Key("layer_norm_epsilon", "norm_eps", 1e-5),
        Key("tie_word_embeddings", "tie_embeddings", True),
    ),
    rules=rules,
    heads=heads("GPTNeo", "classifier"),
    bare=("GPTNeoModel",),
    base="transformer.",
    ignored=frozenset(["attention_layers", "embed_dropout"]),
    more=("attention_types", "window_size"),
    read_more=read_layers,
    write_more=write_layers,
    buffers=r"(transformer\.)?h\.\d+\.attn\.attention\.(masked_)?bias",
)
