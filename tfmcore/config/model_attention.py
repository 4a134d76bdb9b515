"""Switches of `[model]`: attention, and how it learns where tokens stand."""

from typing import Literal

from tfmcore.config.option import Section, SomeOf, option


class AttentionOptions(Section):
    """What each attention computes."""

    attention_window: int | None = option(
        None,
        title="Attention window",
        help="A token sees no more than this many tokens (itself included) to each side it may look at; empty: all.",
        paper="https://arxiv.org/abs/2004.05150",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    layer_pattern: list[str] = option(
        [],
        title="Layer pattern",
        help="Which layers have the attention window: `global` and `local`, repeated over the layers; empty: all.",
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
        False, title="Scale by layer", help="Divide the attention scores of the n-th layer by n, an option of GPT-2."
    )
    attention_softcap: float | None = option(
        None,
        title="Attention soft cap",
        help="c · tanh(score / c) keeps attention scores within ±c, as Gemma 2; empty: no cap.",
        paper="https://arxiv.org/abs/2408.00118",
        gt=0.0,
        le=10_000.0,
    )
    attention_bias: bool = option(False, title="Attention biases", help="Biases in the attention's projections.")
    attention_output_bias: bool | None = option(
        None, title="Attention output bias", help="A bias in the attention's last projection; empty: as the others."
    )
    key_bias: bool = option(
        True, title="Key biases", help="Keys have biases where attention has; off: only the others, as DeBERTa 1."
    )
    query_key_norm: bool = option(
        False,
        title="Query and key norms",
        help="A norm of each head's queries and keys before they are rotated, as Qwen 3 and Gemma 3.",
        paper="https://arxiv.org/abs/2010.04245",
    )


class PositionOptions(Section):
    """How the order of tokens is told."""

    position: Literal["learned", "sinusoidal", "rotary", "relative_buckets", "alibi", "disentangled", "none"] = option(
        "rotary",
        title="Position",
        help="How the order of tokens is told: a learned or sinusoidal vector added to each token, queries and keys "
        "rotated, a bias by distance that is learned (T5) or fixed (ALiBi), queries and keys against learned distances "
        "(DeBERTa's disentangled attention), or not at all.",
        paper="https://arxiv.org/abs/2104.09864",
    )
    learned_positions_beside: bool = option(
        False,
        title="Learned positions beside",
        help="Learned positions are added to the tokens beside another kind, an option of DeBERTa.",
    )
    sinusoid_layout: Literal["interleaved", "halves"] = option(
        "interleaved",
        title="Sinusoid layout",
        help="Sines and cosines alternate, as in the paper, or all sines stand before all cosines, as in Marian.",
    )
    rotary_share: float = option(
        1.0, title="Rotary share", help="Share of each head's features that are rotated.", gt=0.0, le=1.0
    )
    rope_theta: float = option(
        10_000.0, title="Rotary base", help="Base of the rotary angles; larger reaches farther.", ge=1.0, le=1e9
    )
    rope_theta_local: float | None = option(
        None,
        title="Local rotary base",
        help="Base of the layers that have the attention window, never scaled; empty: as the other layers.",
        ge=1.0,
        le=1e9,
    )
    rope_scaling: Literal["none", "linear", "dynamic", "llama3", "yarn"] = option(
        "none",
        title="Rotary scaling",
        help="How rotary angles are stretched to texts longer than those the model was trained on.",
        paper="https://arxiv.org/abs/2309.00071",
    )
    rope_factor: float = option(
        1.0,
        title="Rotary factor",
        help="How many times longer the texts may become.",
        unit="times",
        ge=1.0,
        le=10_000.0,
    )
    rope_original_length: int | None = option(
        None,
        title="Original length",
        help="Longest sequence before the stretching; empty: the context.",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    rope_low_frequency_factor: float = option(
        1.0,
        title="Low frequency factor",
        help="Llama 3: waves longer than length ÷ this are stretched.",
        gt=0.0,
        le=1e4,
    )
    rope_high_frequency_factor: float = option(
        4.0, title="High frequency factor", help="Llama 3: waves shorter than length ÷ this stay.", gt=0.0, le=1e4
    )
    rope_beta_fast: float = option(
        32.0, title="Fast rotations", help="YaRN: what turns more often in the length stays.", gt=0.0, le=1e4
    )
    rope_beta_slow: float = option(
        1.0, title="Slow rotations", help="YaRN: what turns less often in the length is stretched.", gt=0.0, le=1e4
    )
    rope_attention_factor: float | None = option(
        None,
        title="Rotary attention factor",
        help="YaRN: factor on rotated queries and keys; empty: 0.1 · ln(rotary factor) + 1.",
        gt=0.0,
        le=100.0,
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
    max_relative_positions: int = option(
        512,
        title="Farthest distance",
        help="Disentangled: distances from here on are one, to either side.",
        paper="https://arxiv.org/abs/2006.03654",
        unit="tokens",
        ge=1,
        le=65_536,
    )
    num_relative_buckets: int | None = option(
        None,
        title="Logarithmic buckets",
        help="Disentangled: distances beyond half of this share buckets, as DeBERTa 2; empty: each has its own.",
        paper="https://arxiv.org/abs/2111.09543",
        unit="buckets",
        ge=2,
        le=65_536,
    )
    position_terms: SomeOf[Literal["content_to_position", "position_to_content"]] = option(
        ["content_to_position", "position_to_content"],
        title="Position terms",
        help="Disentangled: queries meet distances (content_to_position), keys meet them (position_to_content).",
        min_length=1,
        max_length=2,
    )
    share_position_projections: bool = option(
        False,
        title="Share position projections",
        help="Disentangled: distances pass the projections of queries and keys and have none of their own.",
    )
    relative_norm: bool = option(
        False, title="Distance norm", help="Disentangled: a norm of the distances' vectors, as in DeBERTa 2."
    )
    convolution: int = option(
        0,
        title="Convolution",
        help="Width of a convolution beside the first layer of an encoder, as in DeBERTa 2; 0: none.",
        unit="tokens",
        ge=0,
        le=255,
    )
    convolution_activation: Literal["tanh", "relu", "gelu", "gelu_tanh", "silu"] = option(
        "tanh", title="Convolution activation", help="Non-linearity after the convolution."
    )
    convolution_groups: int = option(
        1, title="Convolution groups", help="Groups of features that the convolution keeps apart.", ge=1, le=65_536
    )
