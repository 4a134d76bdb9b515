"""DeBERTa 2 and 3: distances in logarithmic buckets, projected by the attention's own matrices."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig, UserError
from tfmcore.families.bert import TIED_COPIES, embeddings, layers, untied
from tfmcore.families.deberta import (
    COPIES,
    DEBERTA_KEYS,
    DEBERTA_SWITCHES,
    REQUIRED,
    heads,
    read_positions,
    write_positions,
)
from tfmcore.families.family import Family, Key, Rule, choice, rule
from tfmcore.families.storage import split

SHAPE = {"hidden_size": 768, "num_attention_heads": 12, "attention_head_size": None}
ACTIVATIONS = {"tanh": "tanh", "gelu": "gelu", "relu": "relu", "silu": "silu", "gelu_new": "gelu_tanh"}


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs = "encoder.layers.{}.self_attention.", "deberta.encoder.layer.{}.attention.self."
    width = model.num_heads * model.width_per_head
    projections = [f"{theirs}{name}_proj" for name in ("query", "key", "value")]
    return [
        rule(ours + "query_key_value", *projections, storage=split(width, width, width)),
        rule(ours + "distances.key", theirs + "pos_key_proj"),
        rule(ours + "distances.query", theirs + "pos_query_proj"),
        rule("encoder.positions.embedding", "deberta.encoder.rel_embeddings"),
        rule("encoder.positions.norm", "deberta.encoder.LayerNorm"),
        rule("encoder.convolution.convolution", "deberta.encoder.conv.conv"),
        rule("encoder.convolution.norm", "deberta.encoder.conv.LayerNorm"),
        *untied("cls.predictions.", model),
        *embeddings("deberta."),
        *layers("deberta.", model),
    ]


def read_more(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """A norm of the distances is one of several that `norm_rel_ebd` may name."""
    width, heads, head = (theirs.get(name, default) for name, default in SHAPE.items())
    if head is not None and head * heads != width:
        raise UserError(f"attention_head_size is {head!r:.80}, and only hidden_size ÷ heads is supported")
    norms = [name.strip() for name in str(theirs.get("norm_rel_ebd") or "none").lower().split("|")]
    return read_positions(theirs) | {"relative_norm": "layer_norm" in norms}


def write_more(model: ModelConfig) -> dict[str, Any]:
    return write_positions(model) | {"norm_rel_ebd": "layer_norm" if model.relative_norm else "none"}


DEBERTA_V2 = Family(
    name="deberta-v2",
    title="DeBERTa 2 and 3",
    paper="https://arxiv.org/abs/2111.09543",
    model_type="deberta-v2",
    architecture="encoder",
    switches=DEBERTA_SWITCHES,
    keys=(
        *DEBERTA_KEYS,
        Key(
            "position_buckets",
            "num_relative_buckets",
            -1,
            read=lambda buckets: None if buckets in (-1, 0) else buckets,
            write=lambda buckets: buckets or -1,
        ),
        Key("share_att_key", "share_position_projections", False),
        Key("conv_kernel_size", "convolution", 0),
        choice("conv_act", "convolution_activation", ACTIVATIONS, "tanh"),
        Key("conv_groups", "convolution_groups", 1),
    ),
    rules=rules,
    heads=heads("DebertaV2"),
    bare=("DebertaV2Model",),
    base="deberta.",
    required=REQUIRED,
    ignored=frozenset(["legacy", "pooler_hidden_size"]),
    more=("pos_att_type", "max_relative_positions", "embedding_size", "norm_rel_ebd", "attention_head_size"),
    read_more=read_more,
    write_more=write_more,
    copies=COPIES,
    tied_copies=TIED_COPIES,
    buffers=r".*\bposition_ids|.*\bposition_embeddings\..*|mask_predictions\..*",
)
