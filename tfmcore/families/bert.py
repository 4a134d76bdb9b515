"""BERT: an encoder that learned to fill gaps and to tell whether one sentence follows another."""

from tfmcore.config import ModelConfig
from tfmcore.families.family import ACTIVATIONS, Family, Head, Key, Required, Rule, choice, rule
from tfmcore.families.storage import TWICE, split

SWITCHES = {
    "norm": "layer",
    "norm_placement": "post",
    "embedding_norm": True,
    "position": "learned",
    "attention_bias": True,
    "feed_forward_bias": True,
    "norm_bias": True,
    "initialization": "normal",
}
KEYS = (
    Key("vocab_size", "vocab_size", 30522),
    Key("hidden_size", "d_model", 768),
    Key("num_hidden_layers", "num_layers", 12),
    Key("num_attention_heads", "num_heads", 12),
    Key("intermediate_size", "d_ff", 3072),
    choice("hidden_act", "activation", ACTIVATIONS, "gelu"),
    Key("hidden_dropout_prob", "dropout", 0.1),
    Key("attention_probs_dropout_prob", "attention_dropout", 0.1),
    Key("max_position_embeddings", "context_length", 512),
    Key("type_vocab_size", "num_token_types", 2),
    Key("layer_norm_eps", "norm_eps", 1e-12),
    Key("tie_word_embeddings", "tie_embeddings", True),
)
HEAD_KEYS = (choice("hidden_act", "head_activation", ACTIVATIONS, "gelu"),)
"""The layer before the output of a model that fills gaps has the same activation as the others."""


def layers(base: str, model: ModelConfig) -> list[Rule]:
    """The tensors of BERT's layers, which its descendants share."""
    ours, theirs, width = "encoder.layers.{}.", base + "encoder.layer.{}.", model.num_heads * model.width_per_head
    attention = [f"{theirs}attention.self.{name}" for name in ("query", "key", "value")]
    return [
        rule(ours + "self_attention.query_key_value", *attention, storage=split(width, width, width)),
        rule(ours + "self_attention.output", theirs + "attention.output.dense"),
        rule(ours + "self_attention_residual.norm", theirs + "attention.output.LayerNorm"),
        rule(ours + "feed_forward.input", theirs + "intermediate.dense"),
        rule(ours + "feed_forward.output", theirs + "output.dense"),
        rule(ours + "feed_forward_residual.norm", theirs + "output.LayerNorm"),
    ]


def embeddings(base: str) -> list[Rule]:
    return [
        rule("embedding.tokens", base + "embeddings.word_embeddings"),
        rule("embedding.positions", base + "embeddings.position_embeddings"),
        rule("embedding.token_types.weight", base + "embeddings.token_type_embeddings.weight"),
        rule("embedding.norm", base + "embeddings.LayerNorm"),
    ]


def untied(head: str, model: ModelConfig) -> list[Rule]:
    """The bias of the output layer, which has a copy of it that says something only where embeddings are tied."""
    both = rule("head.decoder.bias", f"{head}decoder.bias", f"{head}bias", storage=TWICE)
    return [] if model.tie_embeddings else [both]


TIED_COPIES = {"cls.predictions.bias": ("cls.predictions.decoder.bias",)}
MASKED = (
    rule("head.dense", "cls.predictions.transform.dense"),
    rule("head.norm", "cls.predictions.transform.LayerNorm"),
    rule("head.decoder.projection", "cls.predictions.decoder"),
    rule("head.decoder.bias", "cls.predictions.bias"),
)
NEXT_SENTENCE = (
    rule("next_sentence_head.pooler.0", "bert.pooler.dense"),
    rule("next_sentence_head.classifier", "cls.seq_relationship"),
)
LABELS = (rule("head.classifier", "classifier"),)
SPANS = (rule("head.start_end", "qa_outputs"),)

BERT = Family(
    name="bert",
    title="BERT",
    paper="https://arxiv.org/abs/1810.04805",
    model_type="bert",
    architecture="encoder",
    switches=SWITCHES,
    keys=(*KEYS, *HEAD_KEYS),
    rules=lambda model: [*untied("cls.predictions.", model), *embeddings("bert."), *layers("bert.", model)],
    heads=(
        Head(("BertForMaskedLM",), "masked_language_modeling", MASKED),
        Head(
            ("BertForPreTraining",),
            "masked_language_modeling",
            (*MASKED, *NEXT_SENTENCE),
            {"next_sentence_head": True},
        ),
        Head(
            ("BertForSequenceClassification",),
            "classification",
            (rule("head.pooler.0", "bert.pooler.dense"), *LABELS),
            {"pooling": "first"},
        ),
        Head(("BertForTokenClassification",), "token_tagging", LABELS),
        Head(("BertForQuestionAnswering",), "question_answering", SPANS),
    ),
    bare=("BertModel",),
    base="bert.",
    required=(Required("position_embedding_type", ("absolute", None)),),
    tied_copies=TIED_COPIES,
    buffers=r".*\bposition_ids",
)
