"""Llama and those that followed its design: Mistral with windows, Qwen 2 with biases, Qwen 3 with normed heads."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig
from tfmcore.families.family import GATED_ACTIVATIONS, Family, Key, Rule, choice, rule
from tfmcore.families.gpt import heads
from tfmcore.families.rope import ROPE_KEYS, read_rope, write_rope
from tfmcore.families.storage import SAME, Storage, chain, joined, rotary_halves, split
from tfmcore.families.windows import read_count, read_windows, widest, write_windows

SWITCHES = {"norm": "rms", "position": "rotary", "initialization": "normal"}
KEYS = (
    Key("hidden_size", "d_model", 4096),
    Key("intermediate_size", "d_ff", 11008),
    Key("num_hidden_layers", "num_layers", 32),
    Key("num_attention_heads", "num_heads", 32),
    choice("hidden_act", "activation", GATED_ACTIVATIONS, "silu"),
    Key("rms_norm_eps", "norm_eps", 1e-6),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("tie_word_embeddings", "tie_embeddings", False),
)
BUFFERS = r"(model\.)?layers\.\d+\.self_attn\.rotary_emb\.inv_freq|(model\.)?rotary_emb\.inv_freq"


def rules(model: ModelConfig, norm: Storage = SAME) -> list[Rule]:
    """The tensors of Llama and its descendants; `norm` is how they keep the weights of norms."""
    ours, theirs, queries = "decoder.layers.{}.", "model.layers.{}.", model.num_heads * model.width_per_head
    own = [f"{theirs}self_attn.{name}_proj" for name in ("q", "k", "v")]
    keys = model.kv_heads * model.width_per_head
    turned = [rotary_halves(heads, model.width_per_head) for heads in (model.num_heads, model.kv_heads)]
    apart = joined((queries, turned[0]), (keys, turned[1]), (keys, SAME))
    normed = chain(rotary_halves(1, model.width_per_head), norm)
    wide = split(model.ff_width, model.ff_width)
    return [
        rule("embedding.tokens", "model.embed_tokens"),
        rule(ours + "self_attention.query_key_value", *own, storage=apart),
        rule(ours + "self_attention.output", theirs + "self_attn.o_proj"),
        rule(ours + "self_attention.query_norm", theirs + "self_attn.q_norm", storage=normed),
        rule(ours + "self_attention.key_norm", theirs + "self_attn.k_norm", storage=normed),
        rule(ours + "self_attention_residual.norm", theirs + "input_layernorm", storage=norm),
        rule(ours + "feed_forward.input", theirs + "mlp.gate_proj", theirs + "mlp.up_proj", storage=wide),
        rule(ours + "feed_forward.output", theirs + "mlp.down_proj"),
        rule(ours + "feed_forward_residual.norm", theirs + "post_attention_layernorm", storage=norm),
        rule("decoder.norm", "model.norm", storage=norm),
    ]


LLAMA = Family(
    name="llama",
    title="Llama",
    paper="https://arxiv.org/abs/2302.13971",
    model_type="llama",
    architecture="decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 32000),
        *KEYS,
        Key("num_key_value_heads", "num_kv_heads", None),
        Key("head_dim", "head_dim", None),
        Key("max_position_embeddings", "context_length", 2048),
        Key("attention_bias", "attention_bias", False),
        Key("mlp_bias", "feed_forward_bias", False),
    ),
    rules=rules,
    heads=heads("Llama", "score"),
    bare=("LlamaModel",),
    base="model.",
    more=ROPE_KEYS,
    read_more=read_rope,
    write_more=write_rope,
    buffers=BUFFERS,
)
MISTRAL = Family(
    name="mistral",
    title="Mistral",
    paper="https://arxiv.org/abs/2310.06825",
    model_type="mistral",
    architecture="decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 32000),
        *(key for key in KEYS if key.name != "intermediate_size"),
        Key("intermediate_size", "d_ff", 14336),
        Key("num_key_value_heads", "num_kv_heads", 8),
        Key("head_dim", "head_dim", None),
        Key("max_position_embeddings", "context_length", 131_072),
    ),
    rules=rules,
    heads=heads("Mistral", "score"),
    bare=("MistralModel",),
    base="model.",
    more=(*ROPE_KEYS, "sliding_window"),
    read_more=lambda theirs: read_rope(theirs) | {"attention_window": theirs.get("sliding_window", 4096)},
    write_more=lambda model: write_rope(model) | {"sliding_window": widest(model)},
    buffers=BUFFERS,
)
QWEN_KEYS = (
    Key("vocab_size", "vocab_size", 151_936),
    *(key for key in KEYS if key.name != "intermediate_size"),
    Key("intermediate_size", "d_ff", 22016),
    Key("num_key_value_heads", "num_kv_heads", 32),
    Key("max_position_embeddings", "context_length", 32768),
)
QWEN_MORE = (*ROPE_KEYS, "use_sliding_window", "sliding_window", "max_window_layers", "layer_types")


def read_qwen(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Where windows are used at all, the layers from `max_window_layers` on have them."""
    window = theirs.get("sliding_window", 4096) if theirs.get("use_sliding_window") else None
    first, number = read_count(theirs, "max_window_layers", 28), read_count(theirs, "num_hidden_layers", 32)
    local = ["local" if window is not None and layer >= first else "global" for layer in range(number)]
    return read_rope(theirs) | read_windows(theirs, local, window)


def write_qwen(model: ModelConfig) -> dict[str, Any]:
    window = widest(model)
    windows = {"use_sliding_window": window is not None, "sliding_window": window, **write_windows(model)}
    return write_rope(model) | windows


QWEN2 = Family(
    name="qwen2",
    title="Qwen 2",
    paper="https://arxiv.org/abs/2407.10671",
    model_type="qwen2",
    architecture="decoder",
    switches={**SWITCHES, "attention_bias": True, "attention_output_bias": False},
    keys=(*QWEN_KEYS, Key("head_dim", "head_dim", None)),
    rules=rules,
    heads=heads("Qwen2", "score"),
    bare=("Qwen2Model",),
    base="model.",
    more=QWEN_MORE,
    read_more=read_qwen,
    write_more=write_qwen,
    buffers=BUFFERS,
)
QWEN3 = Family(
    name="qwen3",
    title="Qwen 3",
    paper="https://arxiv.org/abs/2505.09388",
    model_type="qwen3",
    architecture="decoder",
    switches={**SWITCHES, "query_key_norm": True},
    keys=(
        *QWEN_KEYS,
        Key("head_dim", "head_dim", 128),
        Key("attention_bias", "attention_bias", False),
    ),
    rules=rules,
    heads=heads("Qwen3", "score"),
    bare=("Qwen3Model",),
    base="model.",
    more=QWEN_MORE,
    read_more=read_qwen,
    write_more=write_qwen,
    buffers=BUFFERS,
)
