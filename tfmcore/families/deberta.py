"""DeBERTa: BERT whose attention keeps what a token is apart from where it stands."""

from collections.abc import Mapping
from typing import Any

from tfmcore.config import ModelConfig, UserError
from tfmcore.families.bert import (
    HEAD_KEYS,
    KEYS,
    LABELS,
    MASKED,
    SPANS,
    SWITCHES,
    TIED_COPIES,
    embeddings,
    layers,
    untied,
)
from tfmcore.families.family import Family, Head, Key, Required, Rule, rule
from tfmcore.families.storage import per_head, split

TERMS = {"c2p": "content_to_position", "p2c": "position_to_content"}
OTHER_KEYS = ("type_vocab_size", "layer_norm_eps")
DEBERTA_KEYS = (
    *(key for key in KEYS if key.name not in OTHER_KEYS),
    Key("type_vocab_size", "num_token_types", 0),
    Key("layer_norm_eps", "norm_eps", 1e-7),
    Key("position_biased_input", "learned_positions_beside", True),
    *HEAD_KEYS,
)
DEBERTA_SWITCHES = SWITCHES | {"position": "disentangled"}
REQUIRED = (
    Required("relative_attention", (True,), default=False),
    Required("pooler_hidden_act", ("gelu",)),
    Required("talking_head", (False, None)),
)
LEGACY = "lm_predictions.lm_head."
COPIES = {
    "cls.predictions.bias": (LEGACY + "bias",),
    **{
        f"cls.predictions.transform.{layer}.{kind}": (f"{LEGACY}{layer}.{kind}",)
        for layer in ("dense", "LayerNorm")
        for kind in ("weight", "bias")
    },
}
"""The head that learned to fill gaps has two names; transformers writes one of them by the key `legacy`."""


def read_positions(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The terms, as text (c2p|p2c) or a list, and how far distances are told apart: -1 means the whole context."""
    terms = theirs.get("pos_att_type") or []
    names = terms.lower().split("|") if isinstance(terms, str) else terms
    if not isinstance(names, list) or not names or not all(str(name).strip() in TERMS for name in names):
        raise UserError(f"pos_att_type is {terms!r:.80}, and only c2p and p2c are supported")
    farthest = theirs.get("max_relative_positions", -1)
    if type(farthest) is int and farthest < 1:
        farthest = theirs.get("max_position_embeddings", 512)
    found = {str(name).strip() for name in names}
    if theirs.get("embedding_size", theirs.get("hidden_size", 768)) != theirs.get("hidden_size", 768):
        raise UserError("embedding_size differs from hidden_size, which is not supported")
    return {"position_terms": [TERMS[name] for name in TERMS if name in found], "max_relative_positions": farthest}


def write_positions(model: ModelConfig) -> dict[str, Any]:
    return {
        "pos_att_type": [name for name, ours in TERMS.items() if ours in model.position_terms],
        "max_relative_positions": model.max_relative_positions,
        "pooler_hidden_size": model.d_model,
        "legacy": True,
    }


def heads(prefix: str) -> tuple[Head, ...]:
    """DeBERTa's heads, whose classes begin with `prefix`."""
    pooler = rule("head.pooler.0", "pooler.dense")
    return (
        Head((f"{prefix}ForMaskedLM",), "masked_language_modeling", MASKED),
        Head(
            (f"{prefix}ForSequenceClassification",),
            "classification",
            (pooler, *LABELS),
            {"pooling": "first", "pooler": "gelu"},
        ),
        Head((f"{prefix}ForTokenClassification",), "token_tagging", LABELS),
        Head((f"{prefix}ForQuestionAnswering",), "question_answering", SPANS),
    )


def rules(model: ModelConfig) -> list[Rule]:
    ours, theirs = "encoder.layers.{}.self_attention.", "deberta.encoder.layer.{}.attention.self."
    width = model.num_heads * model.width_per_head
    return [
        rule(ours + "query_key_value.weight", theirs + "in_proj.weight", storage=per_head(model.num_heads)),
        rule(ours + "query_key_value.bias", theirs + "q_bias", theirs + "v_bias", storage=split(width, width)),
        rule(ours + "distances.key", theirs + "pos_proj"),
        rule(ours + "distances.query", theirs + "pos_q_proj"),
        rule("encoder.positions.embedding", "deberta.encoder.rel_embeddings"),
        *untied("cls.predictions.", model),
        *embeddings("deberta."),
        *layers("deberta.", model),
    ]


DEBERTA = Family(
    name="deberta",
    title="DeBERTa",
    paper="https://arxiv.org/abs/2006.03654",
    model_type="deberta",
    architecture="encoder",
    switches=DEBERTA_SWITCHES | {"key_bias": False},
    keys=DEBERTA_KEYS,
    rules=rules,
    heads=heads("Deberta"),
    bare=("DebertaModel",),
    base="deberta.",
    required=REQUIRED,
    ignored=frozenset(["legacy", "pooler_hidden_size"]),
    more=("pos_att_type", "max_relative_positions", "embedding_size"),
    read_more=read_positions,
    write_more=write_positions,
    copies=COPIES,
    tied_copies=TIED_COPIES,
    buffers=r".*\bposition_ids|.*\bposition_embeddings\..*|mask_predictions\..*",
)
