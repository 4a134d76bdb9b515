"""From a config to blocks: the one place that unpacks a ModelConfig."""

import torch
from torch import nn

from tfmcore.config.model import ModelConfig
from tfmcore.config.problems import UserError
from tfmcore.nn.attention import HeadOptions, MultiHeadAttention, MultiHeadSelfAttention
from tfmcore.nn.cache import Cache, KeyValueCache
from tfmcore.nn.convolution import Convolution
from tfmcore.nn.embedding import InputEmbedding
from tfmcore.nn.feed_forward import FeedForward
from tfmcore.nn.frequencies import Stretch
from tfmcore.nn.layers import DecoderLayer, EncoderLayer
from tfmcore.nn.norm import LayerNorm, RMSNorm
from tfmcore.nn.positions import (
    ALiBi,
    Disentangled,
    LearnedPositions,
    PositionalEncoding,
    Positions,
    RelativeBuckets,
    Rotary,
)
from tfmcore.nn.residual import ResidualConnection
from tfmcore.nn.stacks import DecoderStack, EncoderStack


def norm(config: ModelConfig, width: int | None = None) -> nn.Module:
    """A norm of the model's width, or of another."""
    match config.norm:
        case "rms":
            return RMSNorm(width or config.d_model, config.norm_eps)
        case "layer":
            return LayerNorm(width or config.d_model, config.norm_eps, config.norm_bias)


def encoder_stack(config: ModelConfig) -> EncoderStack:
    layers = [
        EncoderLayer(_self_attention(config, i, _reach(config, i)), _feed_forward(config), lambda: _residual(config))
        for i in range(config.num_layers)
    ]
    _drop_first_norm(config, layers[0])
    return EncoderStack(
        layers,
        _positions(config, one_sided=False),
        _final_norm(config),
        _local_positions(config),
        convolution=_convolution(config),
    )


def decoder_stack(config: ModelConfig, cross_attention: bool) -> DecoderStack:
    layers = [
        DecoderLayer(
            _self_attention(config, i, 0),
            _feed_forward(config),
            lambda: _residual(config),
            MultiHeadAttention(config.d_model, config.num_heads, **_heads(config, i)) if cross_attention else None,
        )
        for i in range(config.decoder_layers if cross_attention else config.num_layers)
    ]
    _drop_first_norm(config, layers[0])
    return DecoderStack(layers, _positions(config, one_sided=True), _final_norm(config), _local_positions(config))


def input_embedding(config: ModelConfig, tokens: nn.Embedding, num_token_types: int = 0) -> InputEmbedding:
    positions: LearnedPositions | PositionalEncoding | None = None
    if config.has_learned_positions:
        positions = LearnedPositions(config.context_length, config.d_model)
    elif config.position == "sinusoidal":
        positions = PositionalEncoding(config.d_model, config.sinusoid_layout)
    scale = config.d_model**0.5 if config.embedding_scale else 1.0
    after = norm(config) if config.embedding_norm else None
    return InputEmbedding(tokens, positions, num_token_types, after, config.dropout, scale)


def new_cache(config: ModelConfig, stack: DecoderStack, batch_size: int, max_length: int, like: nn.Module) -> Cache:
    """An empty cache for `batch_size` sequences of at most `max_length` tokens; raises UserError where learned
    positions end before."""
    if config.has_learned_positions and max_length > config.context_length:
        raise UserError(f"{max_length} tokens are too many: this model has positions for {config.context_length}")
    weight = next(like.parameters())
    shape = (batch_size, config.kv_heads, max_length, config.width_per_head)
    layers = [KeyValueCache(torch.empty(shape, dtype=weight.dtype, device=weight.device)) for _ in stack.layers]
    return Cache(layers, batch_size, max_length, weight.device)


def _heads(config: ModelConfig, layer: int) -> HeadOptions:
    scale = config.attention_scale
    if config.attention_scale_by_layer:
        scale = (scale or config.width_per_head**-0.5) / (layer + 1)
    return HeadOptions(
        num_kv_heads=config.kv_heads,
        head_dim=config.width_per_head,
        bias=config.attention_bias,
        output_bias=config.has_output_bias,
        key_bias=config.key_bias,
        dropout=config.dropout if config.attention_dropout is None else config.attention_dropout,
        scale=scale,
        softcap=config.attention_softcap,
        head_norm=(lambda: norm(config, config.width_per_head)) if config.query_key_norm else None,
    )


def _reach(config: ModelConfig, layer: int) -> int | None:
    """How many tokens to each side that layer sees beside itself."""
    window = config.window_of(layer)
    return None if window is None else window - 1


def _self_attention(config: ModelConfig, layer: int, right: int | None) -> MultiHeadSelfAttention:
    return MultiHeadSelfAttention(
        config.d_model,
        config.num_heads,
        band=(_reach(config, layer), right),
        position_terms=config.position_terms if config.position == "disentangled" else (),
        share_position_projections=config.share_position_projections,
        **_heads(config, layer),
    )


def _feed_forward(config: ModelConfig) -> FeedForward:
    return FeedForward(config.d_model, config.ff_width, activation=config.activation, bias=config.feed_forward_bias)


def _residual(config: ModelConfig) -> ResidualConnection:
    after = norm(config) if config.norm_placement == "sandwich" else None
    return ResidualConnection(norm(config), config.norm_placement, config.dropout, after)


def _drop_first_norm(config: ModelConfig, layer: EncoderLayer | DecoderLayer) -> None:
    if config.skip_first_norm:
        layer.self_attention_residual.norm = nn.Identity()


def _final_norm(config: ModelConfig) -> nn.Module | None:
    return norm(config) if config.has_final_norm else None


def _convolution(config: ModelConfig) -> Convolution | None:
    if not config.convolution:
        return None
    activation, groups = config.convolution_activation, config.convolution_groups
    return Convolution(config.d_model, config.convolution, norm(config), activation, groups, config.dropout)


def _positions(config: ModelConfig, one_sided: bool) -> Positions:
    match config.position:
        case "rotary":
            return Rotary(config.rotary_width, config.rope_theta, _stretch(config))
        case "relative_buckets":
            buckets, farthest = config.num_position_buckets, config.max_position_distance
            return RelativeBuckets(config.num_heads, buckets, farthest, one_sided)
        case "alibi":
            return ALiBi(config.num_heads)
        case "disentangled":
            logarithmic_to = config.max_relative_positions if config.num_relative_buckets else None
            vectors_norm = norm(config) if config.relative_norm else None
            return Disentangled(config.d_model, config.position_span, logarithmic_to, vectors_norm, config.dropout)
        case "learned" | "sinusoidal" | "none":  # which are no matter of the attention
            return Positions()


def _local_positions(config: ModelConfig) -> Positions | None:
    if config.position != "rotary" or config.rope_theta_local is None:
        return None
    return Rotary(config.rotary_width, config.rope_theta_local)


def _stretch(config: ModelConfig) -> Stretch | None:
    if config.rope_scaling == "none":
        return None
    return Stretch(
        config.rope_scaling,
        config.rope_factor,
        config.rope_original_length or config.context_length,
        config.rope_low_frequency_factor,
        config.rope_high_frequency_factor,
        config.rope_beta_fast,
        config.rope_beta_slow,
        config.rope_attention_factor,
    )
