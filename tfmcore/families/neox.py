"""GPT-NeoX and Pythia: attention and feed-forward read the same vector, and a quarter of each head is rotated."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig
from tfmcore.families.family import ACTIVATIONS, Family, Key, Rule, choice, rule
from tfmcore.families.gpt import heads
from tfmcore.families.rope import THETA, base, read_stretch, table, write_stretch
from tfmcore.families.storage import SAME, chain, per_head, rotary_halves, within

SHARE = 0.25
PARTIAL = "partial_rotary_factor"


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs = "decoder.layers.{}.", "gpt_neox.layers.{}."
    width = model.num_heads * model.width_per_head
    turned = rotary_halves(model.num_heads, model.width_per_head, model.rotary_width)
    fused = chain(within((width, turned), (width, turned), (width, SAME)), per_head(model.num_heads))
    return [
        rule("embedding.tokens", "gpt_neox.embed_in"),
        rule(ours + "self_attention.query_key_value", theirs + "attention.query_key_value", storage=fused),
        rule(ours + "self_attention.output", theirs + "attention.dense"),
        rule(ours + "self_attention_residual.norm", theirs + "input_layernorm"),
        rule(ours + "feed_forward.input", theirs + "mlp.dense_h_to_4h"),
        rule(ours + "feed_forward.output", theirs + "mlp.dense_4h_to_h"),
        rule(ours + "feed_forward_residual.norm", theirs + "post_attention_layernorm"),
        rule("decoder.norm", "gpt_neox.final_layer_norm"),
    ]


def read_rope(theirs: Mapping[str, Any]) -> dict[str, Any]:
    rope = table(theirs.get("rope_scaling")) or table(theirs.get("rope_parameters"))
    share = rope.pop(PARTIAL, None) if (rope := dict(rope)) else None
    return {
        "rope_theta": base(rope, theirs.get("rotary_emb_base"), THETA),
        "rotary_share": theirs.get("rotary_pct", SHARE) if share is None else share,
        **read_stretch(rope, theirs),
    }


def write_rope(model: ModelConfig) -> dict[str, Any]:
    return {
        "rope_parameters": write_stretch(model) | {PARTIAL: model.rotary_share},
        "rotary_emb_base": model.rope_theta,
        "rotary_pct": model.rotary_share,
    }


NEOX = Family(
    name="gpt-neox",
    title="GPT-NeoX",
    paper="https://arxiv.org/abs/2204.06745",
    model_type="gpt_neox",
    architecture="decoder",
    switches={
        "norm": "layer",
        "norm_bias": True,
        "position": "rotary",
        "feed_forward_bias": True,
    },
    keys=(
        Key("vocab_size", "vocab_size", 50432),
        Key("hidden_size", "d_model", 6144),
        Key("num_hidden_layers", "num_layers", 44),
        Key("num_attention_heads", "num_heads", 64),
        Key("intermediate_size", "d_ff", 24576),
        choice("hidden_act", "activation", ACTIVATIONS, "gelu"),
        Key("hidden_dropout", "dropout", 0.0),
        Key("attention_dropout", "attention_dropout", 0.0),
        Key("max_position_embeddings", "context_length", 2048),
        Key("layer_norm_eps", "norm_eps", 1e-5),
        Key("attention_bias", "attention_bias", True),
        Key("tie_word_embeddings", "tie_embeddings", False),
        choice("use_parallel_residual", "norm_placement", {True: "parallel", False: "pre"}, True),
    ),
    rules=rules,
    heads=heads("GPTNeoX", "classifier", output="embed_out"),
    bare=("GPTNeoXModel",),
    base="gpt_neox.",
    more=("rope_parameters", "rope_scaling", "rotary_emb_base", "rotary_pct"),
    read_more=read_rope,
    write_more=write_rope,
    copies={"embed_out.weight": ("lm_head.weight",)},
    buffers=r"(gpt_neox\.)?layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)",
)
