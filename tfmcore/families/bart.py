"""BART: an encoder-decoder that learned to put damaged texts right."""

from tfmcore.config import ModelConfig
from tfmcore.families.family import ACTIVATIONS, Family, Head, Key, Required, Rule, choice, rule
from tfmcore.families.storage import rows_before, shaped, split

OFFSET = 2
"""The rows of the position tables that nothing uses."""

SWITCHES = {
    "norm": "layer",
    "norm_eps": 1e-5,
    "norm_placement": "post",
    "attention_bias": True,
    "feed_forward_bias": True,
    "norm_bias": True,
    "output_bias": True,
    "initialization": "normal",
}
KEYS = (
    Key("d_model", "d_model", 1024),
    Key("encoder_layers", "num_layers", 12),
    Key("decoder_layers", "num_decoder_layers", 12),
    Key("encoder_attention_heads", "num_heads", 16),
    Key("decoder_attention_heads", "num_heads", 16),
    Key("encoder_ffn_dim", "d_ff", 4096),
    Key("decoder_ffn_dim", "d_ff", 4096),
    choice("activation_function", "activation", ACTIVATIONS, "gelu"),
    Key("dropout", "dropout", 0.1),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("max_position_embeddings", "context_length", 1024),
    Key("scale_embedding", "embedding_scale", False),
    Key("tie_word_embeddings", "tie_embeddings", True),
)


def rules(model: ModelConfig) -> list[Rule]:
    """The tensors that BART and Marian share; the stacks differ in nothing but their names."""
    width = model.num_heads * model.width_per_head
    cross = "model.decoder.layers.{}.encoder_attn."
    found = [
        rule("encoder_embedding.tokens", "model.shared"),
        rule("head.projection", "lm_head"),
        rule("head.bias", "final_logits_bias", storage=shaped([0])),
        rule("decoder.layers.{}.cross_attention.query", cross + "q_proj"),
        rule(
            "decoder.layers.{}.cross_attention.key_value",
            cross + "k_proj",
            cross + "v_proj",
            storage=split(width, width),
        ),
        rule("decoder.layers.{}.cross_attention.output", cross + "out_proj"),
        rule("decoder.layers.{}.cross_attention_residual.norm", "model.decoder.layers.{}.encoder_attn_layer_norm"),
    ]
    for stack in ("encoder", "decoder"):
        ours, theirs = stack + ".layers.{}.", "model." + stack + ".layers.{}."
        own = [f"{theirs}self_attn.{name}_proj" for name in ("q", "k", "v")]
        found += [
            rule(
                f"{stack}_embedding.positions",
                f"model.{stack}.embed_positions",
                storage=rows_before(OFFSET),
            ),
            rule(f"{stack}_embedding.norm", f"model.{stack}.layernorm_embedding"),
            rule(ours + "self_attention.query_key_value", *own, storage=split(width, width, width)),
            rule(ours + "self_attention.output", theirs + "self_attn.out_proj"),
            rule(ours + "self_attention_residual.norm", theirs + "self_attn_layer_norm"),
            rule(ours + "feed_forward.input", theirs + "fc1"),
            rule(ours + "feed_forward.output", theirs + "fc2"),
            rule(ours + "feed_forward_residual.norm", theirs + "final_layer_norm"),
        ]
    return found


OFF_SWITCHES = (
    Required("normalize_before", (False, None)),
    Required("add_final_layer_norm", (False, None)),
    Required("add_bias_logits", (False, None)),
)
OTHERS = frozenset(
    ["num_hidden_layers", "extra_pos_embeddings", "normalize_embedding", "static_position_embeddings", "gpt_gradient"]
)
COPIES = {"model.shared.weight": ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")}
BART = Family(
    name="bart",
    title="BART",
    paper="https://arxiv.org/abs/1910.13461",
    model_type="bart",
    architecture="encoder_decoder",
    switches=SWITCHES | {"position": "learned", "embedding_norm": True},
    keys=(Key("vocab_size", "vocab_size", 50265), *KEYS),
    rules=rules,
    heads=(Head(("BartForConditionalGeneration",), "translation"),),
    bare=("BartModel",),
    base="model.",
    required=OFF_SWITCHES,
    ignored=OTHERS,
    copies=COPIES,
    buffers=r"(encoder|decoder)\.version|model\.(encoder|decoder)\.version",
)
