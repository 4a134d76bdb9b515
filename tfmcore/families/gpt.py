"""GPT and GPT-2: decoders that learned to write on. GPT-2 has its norms before each sublayer, and one at the end."""

from tfmcore.config import ModelConfig
from tfmcore.families.family import ACTIVATIONS, Family, Head, Key, Required, Rule, choice, rule
from tfmcore.families.storage import TRANSPOSED, Storage

SWITCHES = {
    "norm": "layer",
    "norm_bias": True,
    "position": "learned",
    "attention_bias": True,
    "feed_forward_bias": True,
}
KEYS = (
    Key("n_positions", "context_length", 512, older=("max_position_embeddings",)),
    Key("n_embd", "d_model", 768, older=("hidden_size",)),
    Key("n_layer", "num_layers", 12, older=("num_hidden_layers",)),
    Key("n_head", "num_heads", 12, older=("num_attention_heads",)),
    Key("resid_pdrop", "dropout", 0.1),
    Key("attn_pdrop", "attention_dropout", 0.1),
    Key("layer_norm_epsilon", "norm_eps", 1e-5),
    Key("tie_word_embeddings", "tie_embeddings", True),
)
OLD_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}
"""The first GPT calls gelu what others call gelu_new."""


def heads(prefix: str, tagger: str = "", language_model: str = "ForCausalLM", output: str = "lm_head") -> list[Head]:
    """The heads of decoders, whose classes begin with `prefix`: a language model's, a classifier's, which reads the
    last token and has no biases, and a tagger's where their tensor has a name."""
    last = {"pooling": "last", "classifier_bias": False}
    found = [
        Head((prefix + language_model,), "language_modeling", (rule("head.projection", output),)),
        Head((prefix + "ForSequenceClassification",), "classification", (rule("head.classifier", "score"),), last),
    ]
    if tagger:
        found.append(Head((prefix + "ForTokenClassification",), "token_tagging", (rule("head.classifier", tagger),)))
    return found


def layers(storage: Storage) -> list[Rule]:
    """Norms and feed-forward layers, whose names GPT's descendants kept."""
    ours, theirs = "decoder.layers.{}.", "transformer.h.{}."
    return [
        rule(ours + "self_attention_residual.norm", theirs + "ln_1"),
        rule(ours + "feed_forward.input", theirs + "mlp.c_fc", storage=storage),
        rule(ours + "feed_forward.output", theirs + "mlp.c_proj", storage=storage),
        rule(ours + "feed_forward_residual.norm", theirs + "ln_2"),
    ]


def embeddings(tokens: str, positions: str) -> list[Rule]:
    return [
        rule("embedding.tokens", "transformer." + tokens),
        rule("embedding.positions", "transformer." + positions),
        rule("decoder.norm", "transformer.ln_f"),
    ]


ATTENTION = (
    rule("decoder.layers.{}.self_attention.query_key_value", "transformer.h.{}.attn.c_attn", storage=TRANSPOSED),
    rule("decoder.layers.{}.self_attention.output", "transformer.h.{}.attn.c_proj", storage=TRANSPOSED),
)
BUFFERS = r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias|(transformer\.)?position_ids"


def write_dropout(model: ModelConfig) -> dict[str, float]:
    return {"embd_pdrop": model.dropout}


GPT = Family(
    name="gpt",
    title="GPT",
    paper="https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf",
    model_type="openai-gpt",
    architecture="decoder",
    switches={**SWITCHES, "norm_placement": "post", "initialization": "normal"},
    keys=(Key("vocab_size", "vocab_size", 40478), *KEYS, choice("afn", "activation", OLD_ACTIVATIONS, "gelu")),
    rules=lambda model: [*embeddings("tokens_embed", "positions_embed"), *ATTENTION, *layers(TRANSPOSED)],
    heads=heads("OpenAIGPT", language_model="LMHeadModel"),
    bare=("OpenAIGPTModel",),
    base="transformer.",
    ignored=frozenset(["n_special"]),
    write_more=write_dropout,
    buffers=BUFFERS,
)
GPT2 = Family(
    name="gpt2",
    title="GPT-2",
    paper="https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
    model_type="gpt2",
    architecture="decoder",
    switches=SWITCHES,
    keys=(
        Key("vocab_size", "vocab_size", 50257),
        Key("n_positions", "context_length", 1024, older=("max_position_embeddings",)),
        *KEYS[1:],
        Key("n_inner", "d_ff", None),
        choice("activation_function", "activation", ACTIVATIONS, "gelu_new"),
        Key("scale_attn_by_inverse_layer_idx", "attention_scale_by_layer", False),
    ),
    rules=lambda model: [*embeddings("wte", "wpe"), *ATTENTION, *layers(TRANSPOSED)],
    heads=heads("GPT2", "classifier", language_model="LMHeadModel"),
    bare=("GPT2Model",),
    base="transformer.",
    required=(Required("scale_attn_weights", (True,)),),
    ignored=frozenset(["reorder_and_upcast_attn"]),
    write_more=write_dropout,
    buffers=BUFFERS,
)
