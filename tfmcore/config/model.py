"""`[model]`: the architecture, as the switches in which the families of the literature differ."""

from collections.abc import Iterator
from typing import Literal

from tfmcore.config.model_attention import AttentionOptions, PositionOptions
from tfmcore.config.model_shape import OutputOptions, ShapeOptions
from tfmcore.config.problems import Problem

GATED = {"reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu"}
REACHES = ("global", "local")


class ModelConfig(OutputOptions, PositionOptions, AttentionOptions, ShapeOptions):
    """The shape of the model. An empty optional field takes the value its help names."""

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
    def rotary_width(self) -> int:
        """How many features of each head are rotated."""
        return int(self.width_per_head * self.rotary_share)

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def ff_width(self) -> int:
        """d_ff: 4 × d_model, or the multiple of 8 at or above 8/3 × d_model where the feed-forward is gated."""
        return self.d_ff or (-(-8 * self.d_model // 24) * 8 if self.gated else 4 * self.d_model)

    @property
    def has_final_norm(self) -> bool:
        return self.norm_placement != "post" if self.final_norm is None else self.final_norm

    @property
    def has_output_bias(self) -> bool:
        """Of each attention's last projection."""
        return self.attention_bias if self.attention_output_bias is None else self.attention_output_bias

    @property
    def has_learned_positions(self) -> bool:
        return self.position == "learned" or self.learned_positions_beside

    @property
    def position_span(self) -> int:
        """Distances to either side that the disentangled attention tells apart."""
        return self.num_relative_buckets or self.max_relative_positions

    @property
    def pooler_layer(self) -> Literal["none", "tanh", "gelu", "dense_norm"]:
        if self.pooler == "auto":
            return "tanh" if self.pooling == "first" else "none"
        return self.pooler

    def window_of(self, layer: int) -> int | None:
        """The attention window of that layer, counted from 0; None where it sees everything."""
        local = not self.layer_pattern or self.layer_pattern[layer % len(self.layer_pattern)] == "local"
        return self.attention_window if local else None

    def checks(self) -> Iterator[Problem]:
        if self.num_heads % self.kv_heads:
            kv_heads = nearest_divisor(self.num_heads, self.kv_heads)
            yield Problem("num_kv_heads", f"{self.num_heads} heads are not divisible by {self.kv_heads}", kv_heads)
        if self.head_dim is None and self.d_model % self.num_heads:
            heads = nearest_divisor(self.d_model, self.num_heads)
            yield Problem("num_heads", f"d_model {self.d_model} is not divisible by {self.num_heads} heads", heads)
        elif self.position == "rotary":
            yield from self._rotary_checks()
        if self.position == "relative_buckets" and self.max_position_distance <= self.num_position_buckets:
            nearest = self.num_position_buckets + 1
            yield Problem("max_position_distance", "must be above the number of buckets", nearest)
        if self.position == "relative_buckets" and self.num_position_buckets % 2:
            nearest = self.num_position_buckets + 1
            yield Problem("num_position_buckets", "must be even: half for each direction", nearest)
        if self.position == "disentangled":
            yield from self._disentangled_checks()
        if self.position == "sinusoidal" and self.learned_positions_beside:
            yield Problem("learned_positions_beside", "sinusoidal positions are already added in their place", False)
        yield from self._layer_checks()

    def _rotary_checks(self) -> Iterator[Problem]:
        if self.width_per_head % 2:
            width = min(self.width_per_head + 1, 8192)
            yield Problem("head_dim", f"rotary positions need an even head width, not {self.width_per_head}", width)
        elif self.rotary_width < 2 or self.rotary_width % 2:
            reason = f"{self.rotary_width} of {self.width_per_head} features cannot be rotated in pairs"
            yield Problem("rotary_share", reason, 1.0)
        if self.rope_scaling == "dynamic" and self.rotary_width < 4:
            yield Problem("rope_scaling", "dynamic needs at least 4 rotated features in each head", "linear")
        if self.rope_scaling == "yarn" and self.rope_theta <= 1.0:
            yield Problem("rope_theta", "must be above 1 with yarn", 10_000.0)
        if self.rope_scaling == "llama3" and self.rope_high_frequency_factor <= self.rope_low_frequency_factor:
            low = self.rope_low_frequency_factor
            if low < 5000.0:
                yield Problem("rope_high_frequency_factor", f"must be above the low factor {low:g}", 2 * low)
            else:
                yield Problem("rope_low_frequency_factor", "must be below the high factor", 1.0)

    def _disentangled_checks(self) -> Iterator[Problem]:
        if self.num_relative_buckets is not None:
            half = self.num_relative_buckets // 2
            if self.num_relative_buckets % 2:
                yield Problem(
                    "num_relative_buckets", "must be even: half for each direction", self.num_relative_buckets - 1
                )
            elif self.max_relative_positions <= half + 1:
                reason = f"must be above half of the {self.num_relative_buckets} logarithmic buckets, and 1"
                yield Problem("max_relative_positions", reason, half + 2)

    def _layer_checks(self) -> Iterator[Problem]:
        if wrong := [reach for reach in self.layer_pattern if reach not in REACHES]:
            reason = f"{wrong[0][:40]!r} is not one of {', '.join(REACHES)}"
            yield Problem("layer_pattern", reason, [reach for reach in self.layer_pattern if reach in REACHES])
        elif "local" in self.layer_pattern and self.attention_window is None:
            yield Problem("attention_window", "local layers need a window", min(self.context_length, 128))
        if self.convolution:
            if self.architecture == "decoder":
                yield Problem("convolution", "would let a decoder see the tokens it must predict", 0)
            elif self.convolution % 2 == 0:
                yield Problem("convolution", "must be odd: as many tokens on either side", self.convolution - 1)
            if self.d_model % self.convolution_groups:
                groups = nearest_divisor(self.d_model, self.convolution_groups)
                reason = f"d_model {self.d_model} is not divisible by {self.convolution_groups} groups"
                yield Problem("convolution_groups", reason, groups)


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of `number` nearest to `wanted`, the smaller of two."""
    divisors = {d for k in range(1, int(number**0.5) + 1) if number % k == 0 for d in (k, number // k)}
    return min(divisors, key=lambda d: (abs(d - wanted), d))
