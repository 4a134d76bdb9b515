"""BLOOM: a decoder without positions; each head's attention falls off with the distance (ALiBi)."""

from tfmcore.config import ModelConfig
from tfmcore.families.family import Family, Key, Required, Rule, rule
from tfmcore.families.gpt import heads
from tfmcore.families.storage import per_head


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs = "decoder.layers.{}.", "transformer.h.{}."
    fused = per_head(model.num_heads)
    return [
        rule("embedding.tokens", "transformer.word_embeddings"),
        rule("embedding.norm", "transformer.word_embeddings_layernorm"),
        rule(ours + "self_attention.query_key_value", theirs + "self_attention.query_key_value", storage=fused),
        rule(ours + "self_attention.output", theirs + "self_attention.dense"),
        rule(ours + "self_attention_residual.norm", theirs + "input_layernorm"),
        rule(ours + "feed_forward.input", theirs + "mlp.dense_h_to_4h"),
        rule(ours + "feed_forward.output", theirs + "mlp.dense_4h_to_h"),
        rule(ours + "feed_forward_residual.norm", theirs + "post_attention_layernorm"),
        rule("decoder.norm", "transformer.ln_f"),
    ]


OTHERS = """
attention_softmax_in_fp32 bias_dropout_fusion masked_softmax_fusion n_inner offset_alibi skip_bias_add
skip_bias_add_qkv slow_but_exact
"""
"""Keys of the program that BLOOM was trained with."""
BLOOM = Family(
    name="bloom",
    title="BLOOM",
    paper="https://arxiv.org/abs/2211.05100",
    model_type="bloom",
    architecture="decoder",
    switches={
        "norm": "layer",
        "norm_bias": True,
        "position": "alibi",
        "embedding_norm": True,
        "attention_bias": True,
        "activation": "gelu_tanh",
        "feed_forward_bias": True,
    },
    keys=(
        Key("vocab_size", "vocab_size", 250880),
        Key("hidden_size", "d_model", 64, older=("n_embed",)),
        Key("n_layer", "num_layers", 2, older=("num_hidden_layers",)),
        Key("n_head", "num_heads", 8, older=("num_attention_heads",)),
        Key("seq_length", "context_length", 2048),
        Key("hidden_dropout", "dropout", 0.0),
        Key("attention_dropout", "attention_dropout", 0.0),
        Key("layer_norm_epsilon", "norm_eps", 1e-5),
        Key("tie_word_embeddings", "tie_embeddings", True),
    ),
    rules=rules,
    heads=heads("Bloom", "classifier"),
    bare=("BloomModel",),
    base="transformer.",
    required=(Required("apply_residual_connection_post_layernorm", (False,)),),
    ignored=frozenset(OTHERS.split()),
)
