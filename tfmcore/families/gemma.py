"""Gemma: Llama with scaled embeddings and norms that multiply by 1 + w; 2 has norms after each sublayer, soft caps and
local layers, 3 normed queries and keys, and rotations of their own for local layers."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig
from tfmcore.families import llama
from tfmcore.families.family import GATED_ACTIVATIONS, Family, Key, Required, Rule, choice, rule
from tfmcore.families.gpt import heads
from tfmcore.families.llama import BUFFERS
from tfmcore.families.rope import ROPE_KEYS, read_rope, read_ropes, write_rope, write_ropes
from tfmcore.families.storage import ONE_PLUS
from tfmcore.families.windows import read_count, read_windows, widest, write_windows

SWITCHES = llama.SWITCHES | {"embedding_scale": True}
SANDWICH = SWITCHES | {"norm_placement": "sandwich"}
TANH_ACTIVATIONS = {"gelu_pytorch_tanh": "geglu_tanh", **GATED_ACTIVATIONS, "gelu": "geglu_tanh"}
"""The first Gemma says gelu and means its approximation by tanh."""
KEYS = (
    Key("rms_norm_eps", "norm_eps", 1e-6),
    Key("attention_bias", "attention_bias", False),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("tie_word_embeddings", "tie_embeddings", True),
    Key("head_dim", "head_dim", 256),
)
LATER_KEYS = (
    *KEYS,
    Key("hidden_size", "d_model", 2304),
    Key("intermediate_size", "d_ff", 9216),
    Key("num_hidden_layers", "num_layers", 26),
    Key("num_attention_heads", "num_heads", 8),
    Key("num_key_value_heads", "num_kv_heads", 4),
    choice("hidden_activation", "activation", GATED_ACTIVATIONS, "gelu_pytorch_tanh"),
    Key(
        "query_pre_attn_scalar",
        "attention_scale",
        256,
        read=lambda width: width**-0.5,
        write=lambda scale: round(scale**-2),
    ),
)
CAUSAL = Required("use_bidirectional_attention", (False, None))
WINDOW = 4096
THETAS = ("rope_theta", "rope_local_base_freq")
LATER_IGNORED = frozenset(["hidden_act", "cache_implementation"])


def rules(model: ModelConfig) -> list[Rule]:
    """Llama's; in 2 and 3 the norm after attention is what its name says, and that before feed-forward has another."""
    ours, theirs = "decoder.layers.{}.", "model.layers.{}."
    norms = {
        "self_attention_residual.norm_after": "post_attention_layernorm",
        "feed_forward_residual.norm": "pre_feedforward_layernorm",
        "feed_forward_residual.norm_after": "post_feedforward_layernorm",
    }
    sandwich = [rule(ours + name, theirs + their, storage=ONE_PLUS) for name, their in norms.items()]
    return [*(sandwich if model.norm_placement == "sandwich" else []), *llama.rules(model, ONE_PLUS)]


def local_but_every(number: int) -> list[str]:
    return ["local"] * (number - 1) + ["global"]


def read_gemma3(theirs: Mapping[str, Any]) -> dict[str, Any]:
    every = max(1, read_count(theirs, "sliding_window_pattern", read_count(theirs, "_sliding_window_pattern", 6)))
    windows = read_windows(theirs, local_but_every(every), theirs.get("sliding_window", WINDOW))
    return windows | read_ropes(theirs, THETAS, (1_000_000.0, 10_000.0))


def write_later(model: ModelConfig) -> dict[str, Any]:
    """A window in any case: without one transformers does not run a model whose layers are all global either."""
    return write_windows(model) | {"sliding_window": widest(model) or WINDOW}


GEMMA = Family(
    name="gemma",
    title="Gemma",
    paper="https://arxiv.org/abs/2403.08295",
    model_type="gemma",
    architecture="decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 256_000),
        *KEYS,
        Key("hidden_size", "d_model", 3072),
        Key("intermediate_size", "d_ff", 24576),
        Key("num_hidden_layers", "num_layers", 28),
        Key("num_attention_heads", "num_heads", 16),
        Key("num_key_value_heads", "num_kv_heads", 16),
        Key("max_position_embeddings", "context_length", 8192),
        choice("hidden_act", "activation", TANH_ACTIVATIONS, "gelu_pytorch_tanh"),
    ),
    rules=rules,
    heads=heads("Gemma", "score"),
    bare=("GemmaModel",),
    base="model.",
    required=(CAUSAL,),
    ignored=frozenset(["hidden_activation"]),
    more=ROPE_KEYS,
    read_more=read_rope,
    write_more=write_rope,
    buffers=BUFFERS,
)
GEMMA2 = Family(
    name="gemma2",
    title="Gemma 2",
    paper="https://arxiv.org/abs/2408.00118",
    model_type="gemma2",
    architecture="decoder",
    switches=SANDWICH,
    keys=(
        Key("vocab_size", "vocab_size", 256_000),
        *LATER_KEYS,
        Key("max_position_embeddings", "context_length", 8192),
        Key("attn_logit_softcapping", "attention_softcap", 50.0),
        Key("final_logit_softcapping", "logit_softcap", 30.0),
    ),
    rules=rules,
    heads=heads("Gemma2", "score"),
    bare=("Gemma2Model",),
    base="model.",
    required=(CAUSAL,),
    ignored=LATER_IGNORED,
    more=(*ROPE_KEYS, "layer_types", "sliding_window"),
    read_more=lambda theirs: (
        read_rope(theirs) | read_windows(theirs, local_but_every(2), theirs.get("sliding_window", WINDOW))
    ),
    write_more=lambda model: write_rope(model) | write_later(model),
    buffers=BUFFERS,
)
GEMMA3 = Family(
    name="gemma3",
    title="Gemma 3",
    paper="https://arxiv.org/abs/2503.19786",
    model_type="gemma3_text",
    architecture="decoder",
    switches=SANDWICH | {"query_key_norm": True},
    keys=(
        Key("vocab_size", "vocab_size", 262_208),
        *LATER_KEYS,
        Key("max_position_embeddings", "context_length", 131_072),
        Key("final_logit_softcapping", "logit_softcap", None),
    ),
    rules=rules,
    heads=[*heads("Gemma3")[:1], *heads("Gemma3Text")[1:]],
    bare=("Gemma3TextModel",),
    base="model.",
    required=(CAUSAL, Required("attn_logit_softcapping", (None,))),
    ignored=LATER_IGNORED,
    more=(*ROPE_KEYS, THETAS[1], "layer_types", "sliding_window", "sliding_window_pattern", "_sliding_window_pattern"),
    read_more=read_gemma3,
    write_more=lambda model: write_ropes(model, THETAS) | write_later(model),
    buffers=BUFFERS,
)
