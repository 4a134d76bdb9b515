"""Switches of `[model]`: the sizes, the layers and what comes before and after them."""

from typing import Literal

from tfmcore.config.option import Section, option


class ShapeOptions(Section):
    """How large the model is, and how its layers are put together."""

    preset: str = option(
        "", title="Preset", help="The preset these values started from; values given here override it.", max_length=100
    )
    architecture: Literal["encoder", "decoder", "encoder_decoder"] = option(
        "decoder",
        title="Architecture",
        help="An encoder reads a whole text, a decoder writes from left to right, an encoder-decoder does both.",
        paper="https://arxiv.org/abs/1706.03762",
        essential=True,
    )
    d_model: int = option(
        128, title="Width", help="d_model: width of every token's vector.", essential=True, ge=1, le=65_536
    )
    num_layers: int = option(
        4,
        title="Layers",
        help="Number of layers (in the encoder, if there is a decoder too).",
        essential=True,
        ge=1,
        le=512,
    )
    num_decoder_layers: int | None = option(
        None,
        title="Decoder layers",
        help="Layers of the decoder in an encoder-decoder; empty: as many as in the encoder.",
        ge=1,
        le=512,
    )
    num_heads: int = option(4, title="Heads", help="Attention heads per layer.", essential=True, ge=1, le=1024)
    num_kv_heads: int | None = option(
        None,
        title="Key/value heads",
        help="Grouped-query attention: key/value heads, each shared by a group of heads; empty: as many as heads.",
        paper="https://arxiv.org/abs/2305.13245",
        ge=1,
        le=1024,
    )
    head_dim: int | None = option(
        None, title="Head width", help="Width of a head; empty: d_model ÷ heads.", ge=1, le=8192
    )
    d_ff: int | None = option(
        None,
        title="Feed-forward width",
        help="Hidden width of the feed-forward layer; empty: 4 × d_model, or 8/3 × d_model (rounded up to a multiple "
        "of 8) with a gated activation, for about as many parameters.",
        ge=1,
        le=1_048_576,
    )
    context_length: int = option(
        64,
        title="Context",
        help="Longest sequence the model sees.",
        unit="tokens",
        essential=True,
        ge=1,
        le=1_048_576,
    )
    dropout: float = option(
        0.0,
        title="Dropout",
        help="Fraction of activations set to zero in training.",
        paper="https://jmlr.org/papers/v15/srivastava14a.html",
        essential=True,
        ge=0.0,
        le=0.95,
    )
    attention_dropout: float | None = option(
        None,
        title="Attention dropout",
        help="Fraction of attention weights dropped; empty: as Dropout.",
        ge=0.0,
        le=0.95,
    )
    activation: Literal["relu", "gelu", "gelu_tanh", "silu", "reglu", "geglu", "geglu_tanh", "swiglu"] = option(
        "swiglu",
        title="Activation",
        help="Non-linearity of the feed-forward layer; the names that end in `glu` have a gate.",
        paper="https://arxiv.org/abs/2002.05202",
    )
    feed_forward_bias: bool = option(False, title="Feed-forward biases", help="Biases in the feed-forward layers.")
    norm: Literal["layer", "rms"] = option(
        "rms",
        title="Norm",
        help="Layer norm subtracts the mean and divides by the standard deviation, RMS norm divides by the root mean "
        "square.",
        paper="https://arxiv.org/abs/1910.07467",
    )
    norm_eps: float = option(
        1e-5, title="Norm epsilon", help="Added to the variance before the square root.", gt=0.0, le=0.1
    )
    norm_placement: Literal["pre", "post", "sandwich", "parallel"] = option(
        "pre",
        title="Norm placement",
        help="pre: x + f(norm(x)), trains without warm-up; post: norm(x + f(x)), as in 2017; sandwich: "
        "x + norm(f(norm(x))), as in Gemma 2; parallel: attention and feed-forward read the same x, as in GPT-NeoX.",
        paper="https://arxiv.org/abs/2002.04745",
    )
    skip_first_norm: bool = option(
        False, title="No first norm", help="The first layer's attention has no norm of its own, as in ModernBERT."
    )
    final_norm: bool | None = option(
        None, title="Final norm", help="A norm after the last layer; empty: always, except with `post`."
    )
    norm_bias: bool = option(False, title="Norm biases", help="Biases in the layer norms (RMS norm never has one).")
    initialization: Literal["normal", "scaled_normal", "xavier", "t5"] = option(
        "scaled_normal",
        title="Initialisation",
        help="normal: standard deviation 0.02, as in BERT; scaled_normal: the same, with residual projections ÷ √(2 × "
        "layers), as in GPT-2; xavier: uniform, as with the Transformer of 2017; t5: by fan-in, as in T5.",
    )


class OutputOptions(Section):
    """From tokens to vectors, and from vectors to answers."""

    num_token_types: int = option(
        0, title="Token types", help="Segment embeddings, such as BERT's two for pairs of texts; 0: none.", ge=0, le=64
    )
    embedding_norm: bool = option(False, title="Embedding norm", help="A norm right after the embeddings, as in BERT.")
    embedding_scale: bool = option(
        False, title="Scale embeddings", help="Multiply embeddings by √d_model, as in the Transformer of 2017."
    )
    tie_embeddings: bool = option(
        True,
        title="Tie embeddings",
        help="The output layer shares the token embedding's matrix.",
        paper="https://arxiv.org/abs/1608.05859",
    )
    output_scale: bool = option(
        False,
        title="Scale output",
        help="Divide the last layer's vectors by √d_model before the output layer, as in T5 1.0.",
    )
    output_bias: bool = option(
        False,
        title="Output bias",
        help="A bias per token of the vocabulary in the output layer, as in BART; a masked language model always has "
        "one.",
    )
    logit_softcap: float | None = option(
        None,
        title="Logit soft cap",
        help="c · tanh(logit / c) keeps the logits within ±c, as in Gemma 2; empty: no cap.",
        paper="https://arxiv.org/abs/2408.00118",
        gt=0.0,
        le=10_000.0,
    )
    head_activation: Literal["gelu", "gelu_tanh", "relu", "silu", "tanh"] = option(
        "gelu", title="Head activation", help="Non-linearity of the layer before a masked language model's output."
    )
    head_bias: bool = option(True, title="Head bias", help="A bias in that layer; off in ModernBERT.")
    next_sentence_head: bool = option(
        False,
        title="Next-sentence head",
        help="A second head, beside masked language modelling, for whether the second text follows the first, as in "
        "BERT.",
        paper="https://arxiv.org/abs/1810.04805",
    )
    pooling: Literal["first", "mean", "last"] = option(
        "mean", title="Pooling", help="What a classifier reads: the first token, the mean of all, or the last token."
    )
    pooler: Literal["auto", "none", "tanh", "gelu", "dense_norm"] = option(
        "auto",
        title="Pooler",
        help="Layers before a classifier: dense and tanh (BERT) or gelu (DeBERTa), or dense, the head's activation and "
        "a norm (ModernBERT, for each token too); auto: tanh if the first token is read, else none.",
    )
    classifier_bias: bool = option(True, title="Classifier bias", help="A bias per label; GPT-2 and Llama have none.")
