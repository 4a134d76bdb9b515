"""ModernBERT: BERT with what was learned since: rotated queries and keys, gates, and mostly local attention."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig, UserError
from tfmcore.families.bert import LABELS
from tfmcore.families.family import ACTIVATIONS, GATED_ACTIVATIONS, Family, Head, Key, Required, Rule, choice, rule
from tfmcore.families.rope import read_ropes, write_ropes
from tfmcore.families.storage import SAME, rotary_halves, within
from tfmcore.families.windows import read_count, read_windows, widest, write_windows

EVERY = 3
"""The layers of which one is global, where a config does not say."""
THETAS = ("global_rope_theta", "local_rope_theta")
REACH = 128


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs, width = "encoder.layers.{}.", "model.layers.{}.", model.num_heads * model.width_per_head
    turned = rotary_halves(model.num_heads, model.width_per_head)
    fused = within((width, turned), (width, turned), (width, SAME))
    return [
        rule("embedding.tokens", "model.embeddings.tok_embeddings"),
        rule("embedding.norm", "model.embeddings.norm"),
        rule(ours + "self_attention.query_key_value", theirs + "attn.Wqkv", storage=fused),
        rule(ours + "self_attention.output", theirs + "attn.Wo"),
        rule(ours + "self_attention_residual.norm", theirs + "attn_norm"),
        rule(ours + "feed_forward.input", theirs + "mlp.Wi"),
        rule(ours + "feed_forward.output", theirs + "mlp.Wo"),
        rule(ours + "feed_forward_residual.norm", theirs + "mlp_norm"),
        rule("encoder.norm", "model.final_norm"),
    ]


def read_layers(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Which layers are local, how far those see to either side, and how fast each kind rotates."""
    every, width = max(1, read_count(theirs, "global_attn_every_n_layers", EVERY)), theirs.get("local_attention", REACH)
    if type(width) is not int:
        raise UserError(f"local_attention is {width!r:.80}, not a number of tokens")
    windows = read_windows(theirs, ["global", *["local"] * (every - 1)], width // 2 + 1)
    return windows | read_ropes(theirs, THETAS, (160_000.0, 10_000.0))


def write_layers(model: ModelConfig) -> dict[str, Any]:
    return {
        **write_windows(model),
        **write_ropes(model, THETAS),
        "local_attention": 2 * ((widest(model) or REACH // 2 + 1) - 1),
    }


HEAD = (rule("head.pooler.0", "head.dense"), rule("head.pooler.2", "head.norm"))
POOLER = {"pooler": "dense_norm"}
MODERNBERT = Family(
    name="modernbert",
    title="ModernBERT",
    paper="https://arxiv.org/abs/2412.13663",
    model_type="modernbert",
    architecture="encoder",
    switches={
        "norm": "layer",
        "norm_placement": "pre",
        "skip_first_norm": True,
        "embedding_norm": True,
        "position": "rotary",
        "initialization": "normal",
    },
    keys=(
        Key("vocab_size", "vocab_size", 50368),
        Key("hidden_size", "d_model", 768),
        Key("num_hidden_layers", "num_layers", 22),
        Key("num_attention_heads", "num_heads", 12),
        Key("intermediate_size", "d_ff", 1152),
        choice("hidden_activation", "activation", GATED_ACTIVATIONS, "gelu"),
        Key("max_position_embeddings", "context_length", 8192),
        Key("norm_eps", "norm_eps", 1e-5),
        Key("norm_bias", "norm_bias", False),
        Key("attention_bias", "attention_bias", False),
        Key("mlp_bias", "feed_forward_bias", False),
        Key("attention_dropout", "attention_dropout", 0.0),
        choice("classifier_pooling", "pooling", {"cls": "first", "mean": "mean"}, "cls"),
        Key("classifier_bias", "head_bias", False),
        choice("classifier_activation", "head_activation", ACTIVATIONS, "gelu"),
        Key("tie_word_embeddings", "tie_embeddings", True),
    ),
    rules=rules,
    heads=(
        Head(
            ("ModernBertForMaskedLM",),
            "masked_language_modeling",
            (
                rule("head.dense", "head.dense"),
                rule("head.norm", "head.norm"),
                rule("head.decoder.projection", "decoder"),
                rule("head.decoder.bias", "decoder.bias"),
            ),
        ),
        Head(("ModernBertForSequenceClassification",), "classification", (*HEAD, *LABELS), POOLER),
        Head(("ModernBertForTokenClassification",), "token_tagging", (*HEAD, *LABELS), POOLER),
        Head(
            ("ModernBertForQuestionAnswering",),
            "question_answering",
            (*HEAD, rule("head.start_end", "classifier")),
            POOLER,
        ),
    ),
    bare=("ModernBertModel",),
    base="model.",
    required=(Required("decoder_bias", (True,)), Required("position_embedding_type", (None, "absolute"))),
    ignored=frozenset(["reference_compile", "repad_logits_with_grad", "local_attention_rope_theta"]),
    more=("layer_types", "global_attn_every_n_layers", "local_attention", "rope_parameters", *THETAS),
    read_more=read_layers,
    write_more=write_layers,
    buffers=r".*\bposition_ids|.*\binv_freq",
)
