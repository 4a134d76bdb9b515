"""T5: every task as text to text. One stack each, no biases, distances in buckets; 1.1 gates its feed-forward layers
and has an output layer of its own, and mT5 is 1.1 in a hundred languages."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig
from tfmcore.families.family import Family, Head, Key, Rule, choice, rule
from tfmcore.families.storage import SAME, split

SWITCHES = {
    "norm": "rms",
    "norm_placement": "pre",
    "position": "relative_buckets",
    "attention_scale": 1.0,
    "tie_embeddings": True,  # the tensors decide: transformers says so of every T5
    "initialization": "t5",
}
FEED_FORWARDS = {
    "relu": "relu",
    "gated-gelu": "geglu_tanh",
    "gated-silu": "swiglu",
    "gated-relu": "reglu",
    "gated-gelu_new": "geglu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu": "gelu",
    "silu": "silu",
}
KEYS = (
    Key("d_model", "d_model", 512),
    Key("d_kv", "head_dim", 64),
    Key("num_layers", "num_layers", 6),
    Key("num_decoder_layers", "num_decoder_layers", None),
    Key("relative_attention_num_buckets", "num_position_buckets", 32),
    Key("relative_attention_max_distance", "max_position_distance", 128),
    Key("dropout_rate", "dropout", 0.1),
    Key("layer_norm_epsilon", "norm_eps", 1e-6),
    Key("n_positions", "context_length", 512),
)
DERIVED = frozenset(["dense_act_fn", "is_gated_act", "output_past"])
BUFFERS = r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight"


def rules(model: ModelConfig) -> list[Rule]:
    width = model.num_heads * model.width_per_head
    cross, wide = "decoder.block.{}.layer.1.EncDecAttention.", ("wi_0", "wi_1") if model.gated else ("wi",)
    found = [
        rule("encoder_embedding.tokens", "shared"),
        rule("head.projection", "lm_head"),
        rule("decoder.layers.{}.cross_attention.query", cross + "q"),
        rule("decoder.layers.{}.cross_attention.key_value", cross + "k", cross + "v", storage=split(width, width)),
        rule("decoder.layers.{}.cross_attention.output", cross + "o"),
        rule("decoder.layers.{}.cross_attention_residual.norm", "decoder.block.{}.layer.1.layer_norm"),
    ]
    for stack, last in (("encoder", 1), ("decoder", 2)):
        ours, theirs = stack + ".layers.{}.", stack + ".block.{}.layer."
        own, ff = theirs + "0.SelfAttention.", f"{theirs}{last}.DenseReluDense."
        found += [
            rule(ours + "self_attention.query_key_value", own + "q", own + "k", own + "v", storage=split(*[width] * 3)),
            rule(ours + "self_attention.output", own + "o"),
            rule(ours + "self_attention_residual.norm", theirs + "0.layer_norm"),
            rule(
                ours + "feed_forward.input",
                *(ff + name for name in wide),
                storage=split(*[model.ff_width] * 2) if model.gated else SAME,
            ),
            rule(ours + "feed_forward.output", ff + "wo"),
            rule(ours + "feed_forward_residual.norm", f"{theirs}{last}.layer_norm"),
            rule(f"{stack}.positions.embedding", f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias"),
            rule(f"{stack}.norm", f"{stack}.final_layer_norm"),
        ]
    return found


def read_scale(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Old checkpoints say it by whether embeddings are tied."""
    scaled = theirs.get("scale_decoder_outputs", theirs.get("tie_word_embeddings") is not False)
    return {"output_scale": scaled}


def write_scale(model: ModelConfig) -> dict[str, Any]:
    return {"scale_decoder_outputs": model.output_scale, "tie_word_embeddings": model.output_scale}


COPIES = {"shared.weight": ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")}
T5 = Family(
    name="t5",
    title="T5",
    paper="https://arxiv.org/abs/1910.10683",
    model_type="t5",
    architecture="encoder_decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 32128),
        *KEYS,
        Key("num_heads", "num_heads", 8),
        Key("d_ff", "d_ff", 2048),
        choice("feed_forward_proj", "activation", FEED_FORWARDS, "relu"),
    ),
    rules=rules,
    heads=(Head(("T5ForConditionalGeneration", "T5WithLMHeadModel"), "translation"),),
    bare=("T5Model",),
    ignored=DERIVED,
    more=("scale_decoder_outputs", "tie_word_embeddings"),
    read_more=read_scale,
    write_more=write_scale,
    copies=COPIES,
    buffers=BUFFERS,
    by_tensors=frozenset(["tie_embeddings"]),
)
MT5 = Family(
    name="mt5",
    title="mT5",
    paper="https://arxiv.org/abs/2010.11934",
    model_type="mt5",
    architecture="encoder_decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 250112),
        *KEYS,
        Key("num_heads", "num_heads", 6),
        Key("d_ff", "d_ff", 1024),
        choice("feed_forward_proj", "activation", FEED_FORWARDS, "gated-gelu"),
    ),
    rules=rules,
    heads=(Head(("MT5ForConditionalGeneration",), "translation"),),
    bare=("MT5Model",),
    ignored=DERIVED | {"scale_decoder_outputs", "tie_word_embeddings"},
    copies=COPIES,
    buffers=BUFFERS,
    by_tensors=frozenset(["tie_embeddings"]),
)
