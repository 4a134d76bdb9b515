"""RoBERTa: BERT trained longer, on more, and with nothing but gaps."""

from tfmcore.families.bert import KEYS, LABELS, SPANS, SWITCHES, embeddings, layers, untied
from tfmcore.families.family import Family, Head, Key, Required, rule
from tfmcore.families.storage import rows_before

PAD = 1
"""Positions begin after the number of the padding token, and those rows of the table are never used."""

OTHER_KEYS = ("max_position_embeddings", "type_vocab_size", "layer_norm_eps")
ROBERTA = Family(
    name="roberta",
    title="RoBERTa",
    paper="https://arxiv.org/abs/1907.11692",
    model_type="roberta",
    architecture="encoder",
    switches=SWITCHES,
    keys=(
        *(key for key in KEYS if key.name not in OTHER_KEYS),
        Key(
            "max_position_embeddings",
            "context_length",
            512,
            read=lambda rows: rows - PAD - 1,
            write=lambda length: length + PAD + 1,
        ),
        Key("type_vocab_size", "num_token_types", 2),
        Key("layer_norm_eps", "norm_eps", 1e-12),
    ),
    rules=lambda model: [
        rule("embedding.positions", "roberta.embeddings.position_embeddings", storage=rows_before(PAD + 1)),
        *untied("lm_head.", model),
        *embeddings("roberta."),
        *layers("roberta.", model),
    ],
    heads=(
        Head(
            ("RobertaForMaskedLM",),
            "masked_language_modeling",
            (
                rule("head.dense", "lm_head.dense"),
                rule("head.norm", "lm_head.layer_norm"),
                rule("head.decoder.projection", "lm_head.decoder"),
                rule("head.decoder.bias", "lm_head.bias"),
            ),
        ),
        Head(
            ("RobertaForSequenceClassification",),
            "classification",
            (rule("head.pooler.0", "classifier.dense"), rule("head.classifier", "classifier.out_proj")),
            {"pooling": "first"},
        ),
        Head(("RobertaForTokenClassification",), "token_tagging", LABELS),
        Head(("RobertaForQuestionAnswering",), "question_answering", SPANS),
    ),
    bare=("RobertaModel",),
    base="roberta.",
    required=(Required("pad_token_id", (PAD,)), Required("position_embedding_type", ("absolute", None))),
    tied_copies={"lm_head.bias": ("lm_head.decoder.bias",)},
    buffers=r".*\bposition_ids|roberta\.pooler\.dense\..*",
)
