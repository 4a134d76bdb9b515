"""`[model]`: the architecture, as the switches in which the families of the literature differ."""

from collections.abc import Iterator
from typing import Literal

from tfmcore.config.option import Section, option
from tfmcore.config.problems import Problem

GATED = {"reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu"}


class ModelConfig(Section):
    """The shape of the model. An empty optional field takes the value its help names."""

    preset: str = option(
        "", title="Preset", help="The preset these values started from; values given beside it win.", max_length=100
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
        help="Number of layers (of the encoder, where there is a decoder too).",
        essential=True,
        ge=1,
        le=512,
    )
    num_decoder_layers: int | None = option(
        None, title="Decoder layers", help="Layers of the decoder beside an encoder; empty: as many.", ge=1, le=512
    )
    num_heads: int = option(4, title="Heads", help="Attention heads of each layer.", essential=True, ge=1, le=1024)
    num_kv_heads: int | None = option(
        None,
        title="Key/value heads",
        help="Grouped-query attention: heads that share keys and values; empty: as many as heads.",
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
        help="Width between the two feed-forward matrices; empty: 4 × d_model, or 8/3 × d_model (rounded up to a "
        "multiple of 8) where it is gated, which has as many parameters.",
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
        help="Share of activations set to zero in training.",
        paper="https://jmlr.org/papers/v15/srivastava14a.html",
        essential=True,
        ge=0.0,
        le=0.95,
    )
    attention_dropout: float | None = option(
        None, title="Attention dropout", help="Share of attention weights dropped; empty: as Dropout.", ge=0.0, le=0.95
    )
    activation: Literal["relu", "gelu", "gelu_tanh", "silu", "reglu", "geglu", "geglu_tanh", "swiglu"] = option(
        "swiglu",
        title="Activation",
        help="Non-linearity of the feed-forward layer; the names that end in `glu` multiply it with a gate.",
        paper="https://arxiv.org/abs/2002.05202",
    )
    norm: Literal["layer", "rms"] = option(
        "rms",
        title="Norm",
        help="Layer norm subtracts the mean and divides by the deviation, RMS norm divides by the root mean square.",
        paper="https://arxiv.org/abs/1910.07467",
    )
    norm_eps: float = option(1e-5, title="Norm epsilon", help="Added to the variance before the root.", gt=0.0, le=0.1)
    norm_placement: Literal["pre", "post"] = option(
        "pre",
        title="Norm placement",
        help="Before each sublayer (x + f(norm(x)), trains without warm-up) or after it (norm(x + f(x)), as in 2017).",
        paper="https://arxiv.org/abs/2002.04745",
    )
    final_norm: bool | None = option(
        None, title="Final norm", help="A norm after the last layer; empty: with `pre`, not with `post`."
    )
    embedding_norm: bool = option(False, title="Embedding norm", help="A norm right after the embeddings, as in BERT.")
    position: Literal["learned", "sinusoidal", "rotary", "relative_buckets", "none"] = option(
        "rotary",
        title="Position",
        help="How the order of tokens is told: a learned or sinusoidal vector added to each token, queries and keys "
        "rotated, a learned bias by distance (T5), or not at all.",
        paper="https://arxiv.org/abs/2104.09864",
    )
    rope_theta: float = option(
        10_000.0, title="Rotary base", help="Base of the rotary angles; larger reaches farther.", ge=1.0, le=1e9
    )
    num_position_buckets: int = option(
        32, title="Distance buckets", help="Buckets of the T5 distance bias.", unit="buckets", ge=4, le=1024
    )
    max_position_distance: int = option(
        128,
        title="Farthest bucket",
        help="Distances from here on share the T5 bias's last bucket.",
        unit="tokens",
        ge=4,
        le=65_536,
    )
    attention_window: int | None = option(
        None,
        title="Attention window",
        help="A token sees no more than this many tokens (itself included) to each side it may look at; empty: all.",
        paper="https://arxiv.org/abs/2004.05150",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    attention_bias: bool = option(False, title="Attention biases", help="Biases in the attention's projections.")
    feed_forward_bias: bool = option(False, title="Feed-forward biases", help="Biases in the feed-forward layers.")
    norm_bias: bool = option(False, title="Norm biases", help="Biases in the layer norms (RMS norm never has one).")
    tie_embeddings: bool = option(
        True,
        title="Tie embeddings",
        help="The output layer uses the token embedding's matrix.",
        paper="https://arxiv.org/abs/1608.05859",
    )
    num_token_types: int = option(
        0, title="Token types", help="Segment embeddings, as BERT's two for pairs; 0: none.", ge=0, le=64
    )
    embedding_scale: bool = option(
        False, title="Scale embeddings", help="Multiply embeddings by √d_model, as the paper of 2017 does."
    )
    attention_scale: float | None = option(
        None,
        title="Attention scale",
        help="Factor on query · key; empty: 1 ÷ √(head width). T5 uses 1.",
        gt=0.0,
        le=100.0,
    )
    pooling: Literal["first", "mean", "last"] = option(
        "mean", title="Pooling", help="What a classifier reads: the first token, the mean of all, or the last token."
    )
    initialization: Literal["normal", "scaled_normal", "xavier", "t5"] = option(
        "scaled_normal",
        title="Initialisation",
        help="normal: N(0, 0.02) as BERT; scaled_normal: the same with the residual projections ÷ √(2 × layers) as "
        "GPT-2; xavier: uniform as the paper of 2017; t5: by fan-in, as T5.",
    )

    @property
    def decoder_layers(self) -> int:
        return self.num_decoder_layers or self.num_layers

    @property
    def kv_heads(self) -> int:
        return self.num_kv_heads or self.num_heads

    @property
    def width_per_head(self) -> int:
        return self.head_dim or self.d_model // self.num_heads

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def ff_width(self) -> int:
        """d_ff: 4 × d_model, or the multiple of 8 at or above 8/3 × d_model where the feed-forward is gated."""
        return self.d_ff or (-(-8 * self.d_model // 24) * 8 if self.gated else 4 * self.d_model)

    @property
    def has_final_norm(self) -> bool:
        return self.norm_placement == "pre" if self.final_norm is None else self.final_norm

    def checks(self) -> Iterator[Problem]:
        if self.num_heads % self.kv_heads:
            kv_heads = nearest_divisor(self.num_heads, self.kv_heads)
            yield Problem("num_kv_heads", f"{self.num_heads} heads are not divisible by {self.kv_heads}", kv_heads)
        if self.head_dim is None and self.d_model % self.num_heads:
            heads = nearest_divisor(self.d_model, self.num_heads)
            yield Problem("num_heads", f"d_model {self.d_model} is not divisible by {self.num_heads} heads", heads)
        elif self.position == "rotary" and self.width_per_head % 2:
            width = min(self.width_per_head + 1, 8192)
            yield Problem("head_dim", f"rotary positions need an even head width, not {self.width_per_head}", width)
        if self.position == "relative_buckets" and self.max_position_distance <= self.num_position_buckets:
            nearest = self.num_position_buckets + 1
            yield Problem("max_position_distance", "must be above the number of buckets", nearest)
        if self.position == "relative_buckets" and self.num_position_buckets % 2:
            nearest = self.num_position_buckets + 1
            yield Problem("num_position_buckets", "must be even: half for each direction", nearest)


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of `number` nearest to `wanted`, the smaller of two."""
    divisors = {d for k in range(1, int(number**0.5) + 1) if number % k == 0 for d in (k, number // k)}
    return min(divisors, key=lambda d: (abs(d - wanted), d))
