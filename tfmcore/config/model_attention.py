"""Switches of `[model]`: attention, and how it knows the order of tokens."""

from typing import Literal

from tfmcore.config.option import Section, SomeOf, option


class AttentionOptions(Section):
    """What each attention computes."""

    attention_window: int | None = option(
        None,
        title="Attention window",
        help="A token attends to at most this many tokens (itself included) in each direction it may see; empty: all.",
        paper="https://arxiv.org/abs/2004.05150",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    layer_pattern: list[str] = option(
        [],
        title="Layer pattern",
        help="`global` and `local` (with the attention window) layers, repeated over the depth; empty: all are local.",
        paper="https://arxiv.org/abs/1904.10509",
        max_length=512,
    )
    attention_scale: float | None = option(
        None,
        title="Attention scale",
        help="Factor on query · key; empty: 1 ÷ √(head width). T5 uses 1.",
        gt=0.0,
        le=100.0,
    )
    attention_scale_by_layer: bool = option(
        False, title="Scale by layer", help="Divide the attention scores of the n-th layer by n, as GPT-2 can."
    )
    attention_softcap: float | None = option(
        None,
        title="Attention soft cap",
        help="c · tanh(score / c) keeps attention scores within ±c, as in Gemma 2; empty: no cap.",
        paper="https://arxiv.org/abs/2408.00118",
        gt=0.0,
        le=10_000.0,
    )
    attention_bias: bool = option(False, title="Attention biases", help="Biases in the attention's linear projections.")
    attention_output_bias: bool | None = option(
        None,
        title="Attention output bias",
        help="A bias in the attention's output projection; empty: as in the others.",
    )
    key_bias: bool = option(
        True,
        title="Key biases",
        help="With attention biases, keys have one too; off: only queries and values do, as in DeBERTa 1.",
    )
    query_key_norm: bool = option(
        False,
        title="Query and key norms",
        help="Normalise each head's queries and keys before they are rotated, as in Qwen 3 and Gemma 3.",
        paper="https://arxiv.org/abs/2010.04245",
    )


class PositionOptions(Section):
    """How token order is represented."""

    position: Literal["learned", "sinusoidal", "rotary", "relative_buckets", "alibi", "disentangled", "none"] = option(
        "rotary",
        title="Position",
        help="How token order is represented: a learned or sinusoidal vector added to each token, rotated queries and "
        "keys (RoPE), a learned (T5) or fixed (ALiBi) bias per distance, learned vectors of distances that queries "
        "and keys are compared with (DeBERTa's disentangled attention), or not at all.",
        paper="https://arxiv.org/abs/2104.09864",
    )
    learned_positions_beside: bool = option(
        False,
        title="Learned positions too",
        help="Add learned positions to the tokens as well, as DeBERTa can.",
    )
    sinusoid_layout: Literal["interleaved", "halves"] = option(
        "interleaved",
        title="Sinusoid layout",
        help="Sines and cosines alternate, as in the paper, or all sines come before all cosines, as in Marian.",
    )
    rotary_share: float = option(
        1.0, title="Rotary fraction", help="Fraction of each head's features that are rotated.", gt=0.0, le=1.0
    )
    rope_theta: float = option(
        10_000.0,
        title="Rotary base",
        help="Base of the rotary angles; larger bases suit longer contexts.",
        ge=1.0,
        le=1e9,
    )
    rope_theta_local: float | None = option(
        None,
        title="Local rotary base",
        help="Base in the layers with the attention window, never scaled; empty: as in the other layers.",
        ge=1.0,
        le=1e9,
    )
    rope_scaling: Literal["none", "linear", "dynamic", "llama3", "yarn"] = option(
        "none",
        title="Rotary scaling",
        help="How rotary angles are scaled to contexts longer than the one the model was trained on.",
        paper="https://arxiv.org/abs/2309.00071",
    )
    rope_factor: float = option(
        1.0,
        title="Rotary factor",
        help="Context extension factor.",
        unit="times",
        ge=1.0,
        le=10_000.0,
    )
    rope_original_length: int | None = option(
        None,
        title="Original length",
        help="Context length before the extension; empty: the context.",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    rope_low_frequency_factor: float = option(
        1.0,
        title="Low frequency factor",
        help="Llama 3: wavelengths longer than the original length ÷ this are interpolated.",
        gt=0.0,
        le=1e4,
    )
    rope_high_frequency_factor: float = option(
        4.0,
        title="High frequency factor",
        help="Llama 3: wavelengths shorter than the original length ÷ this are kept.",
        gt=0.0,
        le=1e4,
    )
    rope_beta_fast: float = option(
        32.0,
        title="YaRN beta fast",
        help="YaRN: frequencies with more rotations than this in the original length are kept.",
        gt=0.0,
        le=1e4,
    )
    rope_beta_slow: float = option(
        1.0,
        title="YaRN beta slow",
        help="YaRN: frequencies with fewer rotations than this in the original length are interpolated.",
        gt=0.0,
        le=1e4,
    )
    rope_attention_factor: float | None = option(
        None,
        title="Rotary attention factor",
        help="YaRN: factor on rotated queries and keys; empty: 0.1 · ln(rotary factor) + 1.",
        gt=0.0,
        le=100.0,
    )
    num_position_buckets: int = option(
        32,
        title="Distance buckets",
        help="Buckets of distances in T5's relative position bias.",
        unit="buckets",
        ge=4,
        le=1024,
    )
    max_position_distance: int = option(
        128,
        title="Farthest bucket",
        help="Distances from here on share the last bucket of T5's bias.",
        unit="tokens",
        ge=4,
        le=65_536,
    )
    max_relative_positions: int = option(
        512,
        title="Farthest distance",
        help="Disentangled: distances from here on, in each direction, count as the same.",
        paper="https://arxiv.org/abs/2006.03654",
        unit="tokens",
        ge=1,
        le=65_536,
    )
    num_relative_buckets: int | None = option(
        None,
        title="Logarithmic buckets",
        help="Disentangled: distances beyond half of this share buckets, as in DeBERTa 2; empty: each has its own.",
        paper="https://arxiv.org/abs/2111.09543",
        unit="buckets",
        ge=2,
        le=65_536,
    )
    position_terms: SomeOf[Literal["content_to_position", "position_to_content"]] = option(
        ["content_to_position", "position_to_content"],
        title="Position terms",
        help="Disentangled: queries attend to distances (content_to_position), keys do (position_to_content).",
        min_length=1,
        max_length=2,
    )
    share_position_projections: bool = option(
        False,
        title="Share position projections",
        help="Disentangled: distances use the projections of queries and keys instead of their own.",
    )
    relative_norm: bool = option(
        False, title="Distance norm", help="Disentangled: normalise the distances' vectors, as in DeBERTa 2."
    )
    convolution: int = option(
        0,
        title="Convolution",
        help="Kernel width of a convolution parallel to an encoder's first layer, as in DeBERTa 2; 0: none.",
        unit="tokens",
        ge=0,
        le=255,
    )
    convolution_activation: Literal["tanh", "relu", "gelu", "gelu_tanh", "silu"] = option(
        "tanh", title="Convolution activation", help="Non-linearity after the convolution."
    )
    convolution_groups: int = option(
        1,
        title="Convolution groups",
        help="Groups of features that the convolution treats separately.",
        ge=1,
        le=65_536,
    )
